"""What a URL is, and what of it may be shown."""

from __future__ import annotations

import re
from typing import Final

# One letter before the colon is no scheme: it is a drive of Windows.
_BEGINNING: Final = re.compile(r"[a-z][a-z0-9+.-]+(://|::)", re.IGNORECASE)
_PART: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<place>[^/?#]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_IN_TEXT: Final = re.compile(r"[a-z][a-z0-9+.-]+://[^\s'\"<>()]+", re.IGNORECASE)
CHAIN: Final = "::"  # between the URL of a member and that of its archive, as fsspec writes it
LEFT_OUT: Final = "..."


def is_url(name: str) -> bool:
    """Whether a name is a URL rather than a path."""
    return _BEGINNING.match(name) is not None and "://" in name


def scheme(url: str) -> str:
    """What comes before the first colon."""
    return re.split("::?", url, maxsplit=1)[0].lower()


def shown(name: str) -> str:
    """The URL without what may be secret: user, password, query. Another name stays as it is."""
    return CHAIN.join(map(_shown, name.split(CHAIN))) if is_url(name) else name


def _shown(part: str) -> str:
    found = _PART.fullmatch(part)
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
    return _IN_TEXT.sub(lambda match: shown(match[0]), text)
