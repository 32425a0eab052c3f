"""`fluxcap explain`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from fluxcap.cli import inputs, options
from fluxcap.cli.exits import Exit, UsageError
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.output import Output, choose_of, print_text
from fluxcap.cli.progress import Progress
from fluxcap.values.metadata import header

if TYPE_CHECKING:
    from fluxcap.explaining.explanation import Explanation

HELP: Final = "one packet: its headers in boxes, its sums word by word"
DESCRIPTION: Final = """\
One packet, taken apart: its headers in boxes of 32 bits, the pseudo-header,
each checksum word by word with its carries, what the field holds and should
hold, and why; which connection the packet belongs to, and what a socket would
have been handed.
"""
FORMATS: Final = {".txt": "text", ".svg": "svg", ".html": "html", ".json": "json"}
WORDS_SHOWN: Final = 8  # of data


def configure(parser: Parser) -> None:
    """Add the options of this command."""
    options.add_inputs(parser)
    which = "which packet: its number in the file, from 1"
    parser.add_argument("-p", "--packet", type=options.positive, required=True, metavar="N", help=which)
    file = "which of several files, from 0 (default: 0)"
    parser.add_argument("--file", type=options.natural, default=0, metavar="N", help=file)
    words = f"show so many words of data in a sum, 0 = all (default: {WORDS_SHOWN})"
    parser.add_argument("-n", "--rows", type=options.natural, default=WORDS_SHOWN, metavar="N", help=words)
    formats = ("auto", *FORMATS.values())
    how = "how to write it (default: what the suffix of -o says, else text)"
    parser.add_argument("-f", "--format", choices=formats, default="auto", help=how)
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write it; the suffix decides the format")
    parser.add_argument("--no-decap", action="store_false", dest="decap", help="stop at the outermost IP header")
    options.add_tunnels(parser)
    quiz = "an exercise: the packet without its values, which you are asked for"
    parser.add_argument("--quiz", action="store_true", help=quiz)
    options.add_strict(parser)
    options.add_messages(parser)


def run(given: Options, messages: Messages) -> Exit:
    """Take the packet apart and draw it."""
    from fluxcap.explaining.reading import collect_explanation

    if given.quiz and (given.output or given.format not in ("auto", "text")):
        raise UsageError("--quiz is a talk on the terminal", "Leave out -o and -f.")
    output = choose_of(FORMATS, given.format, given.output, given.color)
    sources = inputs.find(given.inputs, output)
    try:
        with Progress(sources, messages):
            explanation = collect_explanation(sources.inputs, given.packet, given.file, given.reading)
    except ValueError as error:
        raise UsageError.of(error) from error
    if given.quiz:
        _ask(explanation, output)
        return Exit.DONE
    with output.stream() as out:
        if output.format == "text":
            from fluxcap.cli.drawings.packet import draw_explanation

            draw_explanation(explanation, out, output.screen, given.rows)
        else:
            out.write(_written(explanation, output.format, given.rows).encode())
    return Exit.INTERRUPTED if explanation.metadata["interrupted"] else Exit.DONE


def _written(explanation: Explanation, format: str, shown: int) -> str:
    if format == "svg":
        from fluxcap.explaining.svg import drawing

        return drawing(explanation, shown)
    if format == "html":
        from fluxcap.explaining.page import page

        return page(explanation, shown)
    return json.dumps({**header(), **explanation.to_dict()}, indent=2) + "\n"


def _ask(explanation: Explanation, output: Output) -> None:
    """Show the exercise, and ask until all questions are answered or the answers end."""
    from fluxcap.cli.drawings.packet import draw_exercise
    from fluxcap.explaining.quiz import questions

    with output.stream() as out:
        draw_exercise(explanation, out, output.screen)
    right = asked = 0
    print_text("\nAnswer in decimal, in hexadecimal with 0x, or as the packet table writes it; Ctrl-D ends.\n")
    for question in questions(explanation):
        print_text(f"{question.prompt}? ")
        answer = sys.stdin.readline()
        if not answer:
            print_text("\n")
            break
        asked += 1
        right += question.is_right(answer)
        print_text("right\n" if question.is_right(answer) else f"no: {question.text}\n")
    print_text(f"{right} of {asked} right\n")
