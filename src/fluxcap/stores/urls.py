"""What a URL is, and what of it may be shown."""

from __future__ import annotations

import re
from typing import Final

# Patterns, which `re` compiles for the first URL: most commands meet none.
# One letter before the colon is no scheme: it is a drive of Windows.
_BEGINNING: Final = r"(?i)[a-z][a-z0-9+.-]+(://|::)"
_PART: Final = r"(?is)(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<place>[^/?#]*)(?P<rest>.*)"
_IN_TEXT: Final = r"(?i)[a-z][a-z0-9+.-]+://[^\s'\"<>()]+"
CHAIN: Final = "::"  # between the URL of a member and that of its archive, as fsspec writes it
LEFT_OUT: Final = "..."


def is_url(name: str) -> bool:
    """Whether a name is a URL rather than a path."""
    return "://" in name and re.match(_BEGINNING, name) is not None


def scheme(url: str) -> str:
    """What comes before the first colon."""
    return re.split("::?", url, maxsplit=1)[0].lower()


def shown(name: str) -> str:
    """The URL without what may be secret: user, password, query. Another name stays as it is."""
    return CHAIN.join(map(_shown, name.split(CHAIN))) if is_url(name) else name


def _shown(part: str) -> str:
    found = re.fullmatch(_PART, part)
    if found is None:
        return part
    place, rest = found["place"], found["rest"]
    # In Azure's URLs the name of a container stands there.
    user, _, host = place.rpartition("@")
    if ":" in user or not found["scheme"].lower().startswith("abfs"):
        place = host
    path, mark, query = rest.partition("?")
    # Elsewhere than in HTTP, a question mark may be a part of a name or a pattern.
    if mark and ("=" in query or found["scheme"].lower() in ("http", "https")):
        rest = f"{path}?{LEFT_OUT}"
    return f"{found['scheme']}://{place}{rest}"


def without_secrets(text: str) -> str:
    """A text, such as that of an error, with every URL in it as shown() has it."""
    return re.sub(_IN_TEXT, lambda match: shown(match[0]), text)
