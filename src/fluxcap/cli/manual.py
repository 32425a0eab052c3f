"""The command line as the manual page has it; setup.py makes the page, with argparse-manpage."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter

from fluxcap.cli.main import parser


def manual() -> ArgumentParser:
    """The whole command line, whose texts keep their lines: those of a table begin with blanks."""
    whole = parser()
    commands = (one for action in whole._actions if isinstance(action.choices, dict) for one in action.choices.values())
    for one in (whole, *commands):
        one.formatter_class = RawDescriptionHelpFormatter
    return whole
