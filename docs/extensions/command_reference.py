"""The directive `commands`: every command of the command line, from the parser that reads its options."""

import argparse
from collections.abc import Iterable, Iterator
from typing import Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from fluxcap.cli.main import COMMANDS, EXIT_CODES, command_of
from fluxcap.cli.options import Parser

PROGRAM: Final = "fluxcap"


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("commands", CommandsDirective)
    return {"parallel_read_safe": True}


def parsers() -> Iterator[tuple[str, str, Parser]]:
    """Each command as it is typed, its line in `fluxcap --help`, and its parser."""
    for name in COMMANDS:
        command = command_of(name)
        parser = Parser(prog=f"{PROGRAM} {name}", description=command.DESCRIPTION)
        command.configure(parser)
        yield parser.prog, command.HELP, parser


class CommandsDirective(SphinxDirective):
    """A section a command, then one about formats and one about exit codes, in reStructuredText."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        return self.parse_text_to_nodes("\n".join(self._lines()), allow_section_headings=True)

    def _lines(self) -> Iterator[str]:
        notes: dict[str, str] = {}  # what a command adds to its options, and which is the first to say so
        for typed, summary, parser in parsers():
            yield from _titled(typed)
            yield from (f"{summary[0].upper()}{summary[1:]}.", "", *parser.description.splitlines(), "")
            yield from _literal(usage(parser))
            yield from (f".. program:: {typed}", "")
            for action in actions(parser):
                yield from (f".. option:: {spelled(action)}", "", *_indented([explained(action)]), "")
            if parser.describe:
                notes.setdefault(parser.describe(), typed)
        titles: set[str] = set()
        for note, typed in {**notes, EXIT_CODES: PROGRAM}.items():
            title, _, text = note.partition(":\n")
            yield from _titled(f"{title.capitalize()} of {typed}" if title in titles else title.capitalize())
            yield from _literal(text)
            titles.add(title)


def actions(parser: Parser) -> list[argparse.Action]:
    """The options and operands of a command, without --help, in the order of its help."""
    return [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]


def usage(parser: Parser) -> str:
    """The command with its operands; the options have entries of their own."""
    return " ".join([parser.prog, "[OPTION ...]", *(_operand(a) for a in actions(parser) if not a.option_strings)])


def spelled(action: argparse.Action) -> str:
    """An option as it is typed, with its value; an operand by its name."""
    value = _value(action)
    return ", ".join(f"{option} {value}".rstrip() for option in action.option_strings) or value


def explained(action: argparse.Action) -> str:
    """The help of an option as a sentence."""
    text = (action.help or "") % vars(action)
    sentence = f"{text[:1].upper()}{text[1:].rstrip('.')}."
    return sentence.replace("*", r"\*").replace("`", "``")


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.metavar:
        return str(action.metavar)
    return "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()


def _operand(action: argparse.Action) -> str:
    return f"{_value(action)} ..." if action.nargs == "+" else _value(action)


def _titled(title: str) -> tuple[str, ...]:
    anchor = title.lower().replace(" ", "-")
    return f".. _{anchor}:", "", title, "-" * len(title), ""


def _literal(text: str) -> tuple[str, ...]:
    return ".. code-block:: text", "", *_indented(text.splitlines()), ""


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"   {line}".rstrip() for line in lines]
