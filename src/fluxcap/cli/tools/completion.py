"""`fluxcap completion`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fluxcap import formats
from fluxcap.cli import options
from fluxcap.cli.exits import Exit
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import print_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

HELP: Final = "a script that lets bash, zsh or fish complete commands, options and files"
DESCRIPTION: Final = """\
A script for a shell. To load it at every start:

  fluxcap completion bash > ~/.local/share/bash-completion/completions/fluxcap
  fluxcap completion zsh > ~/.zfunc/_fluxcap          # a folder of $fpath
  fluxcap completion fish > ~/.config/fish/completions/fluxcap.fish
"""
SHELLS: Final = ("bash", "zsh", "fish")
FILES: Final = ("inputs", "input", "output")  # arguments that name files, by their places in the options
FIRST_ONLY, EACH = '"(*):', '"*:'  # shtab has zsh complete only the first of several inputs
DIRECTORY: Final = "DIR"  # the word in --help for one


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    parser.add_argument("shell", choices=SHELLS, metavar=f"{{{','.join(SHELLS)}}}", help="the shell that shall load it")
    options.add_messages(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Print the script."""
    import shtab

    from fluxcap.cli.main import parser

    whole = parser()
    for action in _actions(whole):
        for command in getattr(action, "_choices_actions", ()):  # a menu has a line for each, not a paragraph
            action.choices[command.dest].description = command.help  # type: ignore[index]
        if action.dest == "format" and action.choices is None:  # else the command has its own
            action.choices = (options.AUTO, *formats.names())
        elif action.metavar == DIRECTORY:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.dest in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    script = shtab.complete(whole, given.shell)
    print_text(script.replace(FIRST_ONLY, EACH) if given.shell == "zsh" else script)
    return Exit.DONE


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of the parsers of its commands."""
    for action in parser._actions:
        yield action
        for command in action.choices.values() if isinstance(action.choices, dict) else ():
            yield from _actions(command)
