"""The pages in docs/ as their readers use them: block after block, commands at a terminal and Python in one session."""

import contextlib
import importlib.util
import io
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from command_line import in_one_process, in_terminal

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FRONT = DOCS / "index.md"  # of the site: nothing but the text of README.md and the lists of pages
PAGES = sorted({*DOCS.glob("*.md"), *DOCS.glob("tasks/*.md")} - {FRONT})
COLUMNS = 100  # of the terminal
BLOCK = re.compile(
    r"^(?:<!-- needs (?P<needs>\S+) -->\n)?"  # a program that is no part of fluxcap, or a Python package
    r"```(?P<language>sh|python)\n(?P<code>.*?\n)```\n"
    r"(?:\n```\n(?P<output>.*?\n)```\n)?",  # what the block prints: a fence without a language, right after it
    re.DOTALL | re.MULTILINE,
)
PREAMBLE = 'fluxcap() { "$PYTHON" -m fluxcap "$@"; }\nset -eo pipefail\n'
CAPTURE = "x.pcap"  # how tables of commands call the reader's own capture
PIPE_CLOSED = 141  # what `| head` leaves behind


class Block(NamedTuple):
    """A block of code and what the page says that it prints, None if it does not say."""

    line: int
    language: str
    needs: str | None
    code: str
    output: str | None


def blocks(page: Path) -> Iterator[Block]:
    """Those of a page that can run."""
    text = page.read_text()
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("code")) + 1
        yield Block(line, *found.group("language", "needs", "code", "output"))


def table_commands(page: Path) -> list[str]:
    """The commands and expressions about x.pcap in a page's tables."""
    rows = [line for line in page.read_text().splitlines() if line.startswith("|")]
    spans = [span.replace(r"\|", "|") for row in rows for span in re.findall(r"`([^`]+)`", row)]
    return [span for span in spans if CAPTURE in span]


def missing(needs: str) -> bool:
    """Whether this machine has neither a program nor a package of that name."""
    return shutil.which(needs) is None and importlib.util.find_spec(needs) is None


def folder(path: Path) -> Path:
    """A folder to work in, with what a reader has in the repository's: whatever is written lands elsewhere."""
    (path / "samples").symlink_to(ROOT / "samples")
    (path / CAPTURE).symlink_to(ROOT / "samples" / "sockets.pcapng")
    (path / "DIR").mkdir()
    return path


class Session:
    """One reader: a folder, and names that one block of Python leaves to the next."""

    def __init__(self, where: Path) -> None:
        self._where = folder(where)
        self._names: dict[str, Any] = {"__name__": "__main__"}

    def run(self, block: Block) -> str:
        """What a block prints."""
        return self.python(block.code) if block.language == "python" else self.shell(block.code)

    def shell(self, script: str) -> str:
        """What a terminal shows; a command that fails is an error here."""
        screen = in_terminal(
            ["bash", "-c", PREAMBLE + script], columns=COLUMNS, cwd=self._where, env={"PYTHON": sys.executable}
        )
        assert screen.code in (0, PIPE_CLOSED), f"exit code {screen.code}:\n{screen.text}"
        return screen.text

    def commands(self, lines: list[str]) -> None:
        """Run several lines `fluxcap ...` without a shell, in the time of one."""
        done = in_one_process(lines, self._where)
        assert [(line, code) for line, (code, _) in zip(lines, done, strict=True) if code] == []

    def python(self, code: str) -> str:
        """What the code prints."""
        printed = io.StringIO()
        with contextlib.chdir(self._where), contextlib.redirect_stdout(printed):
            exec(compile(code, "page", "exec"), self._names)
        return printed.getvalue()


def lines(text: str) -> list[str]:
    """Without what nobody sees at the ends of lines."""
    return [line.rstrip() for line in text.rstrip().splitlines()]
