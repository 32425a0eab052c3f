"""Prose, help texts and messages say "bytes"; only the names of columns, fields and options keep "octets"."""

import ast
import re
from pathlib import Path

import pytest

import command_line
from fluxcap.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "samples" / "README.md"]
MODULES = sorted((ROOT / "src").rglob("*.py"))
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"[\w.-]+|\{[\w,]+\}")  # of a column, a field, a file; or the choices of an option
QUOTED_NAME = re.compile(r"'\w+'")
OLD_WORD = re.compile("octet", re.IGNORECASE)


def with_the_old_word(text: str) -> list[str]:
    return [line for line in text.splitlines() if OLD_WORD.search(line)]


def messages(module: Path) -> list[str]:
    """The strings of a module that are neither docstrings nor names."""
    tree = ast.parse(module.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [str(node.value) for node in strings if id(node) not in docstrings and not NAME.fullmatch(str(node.value))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_prose_of_a_page_says_bytes(page):
    assert with_the_old_word(CODE.sub("", page.read_text())) == []


@pytest.mark.parametrize("command", main.COMMANDS)
def test_the_help_of_a_command_says_bytes(command):
    shown = command_line.fluxcap(command, "--help").stdout
    assert "usage" in shown
    assert with_the_old_word(re.sub(r"\{[\w,]+\}", "", shown)) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT / "src")))
def test_the_messages_of_a_module_say_bytes(module):
    assert [text for text in messages(module) if OLD_WORD.search(QUOTED_NAME.sub("", text))] == []
