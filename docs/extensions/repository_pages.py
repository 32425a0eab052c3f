"""Files of the repository as pages of the site.

A page whose first line is only a link to a Markdown file shows the text of that file, then the rest of the page. On a
code host the page shows the link. Relative links lead to the page that shows their file.
"""

import os
import re
from pathlib import Path
from typing import Final

from sphinx.application import Sphinx

DOCS: Final = Path(__file__).parents[1]
FIRST_LINE: Final = re.compile(r"\[[^\]\n]+\]\(([^)\n]+\.md)\)\n")
TARGET: Final = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")  # of a Markdown link or picture, without its anchor


def setup(app: Sphinx) -> dict[str, bool]:
    """Replace the first lines and the links of pages while they are read."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}


def file_shown_by(page: Path) -> Path | None:
    """The file whose text a page shows instead of its first line."""
    with page.open() as lines:
        link = FIRST_LINE.fullmatch(next(lines, ""))
    return link and resolved(page, link[1])


def pages_by_file() -> dict[Path, Path]:
    """The pages that show a file, by that file."""
    shown = ((file_shown_by(page), page) for page in DOCS.rglob("*.md"))
    return {file: page for file, page in shown if file is not None}


def with_links_from(text: str, file: Path, page: Path) -> str:
    """The text of a file for a page that lies elsewhere: each link leads to the page that shows its file."""
    pages = pages_by_file()

    def moved(target: re.Match[str]) -> str:
        path = resolved(file, target[1])
        return os.path.relpath(pages.get(path, path), page.parent)

    return TARGET.sub(moved, text)


def resolved(file: Path, target: str) -> Path:
    """The path that a relative link in a file leads to."""
    return Path(os.path.normpath(file.parent / target))


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    page = Path(app.env.doc2path(name))
    if page.suffix != ".md":
        return
    file = file_shown_by(page)
    if file is None:
        source[0] = with_links_from(source[0], page, page)
    else:
        app.env.note_dependency(file)
        rest = source[0].partition("\n")[2]
        source[0] = f"{with_links_from(file.read_text(), file, page)}\n{rest}"
