"""--community-id: the Community IDs of rows, with the seed and the encoding that other programs use."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from fluxcap.values.derived import COMMUNITY_ID, ENCODINGS, MOST_SEED

if TYPE_CHECKING:
    from fluxcap.cli.options import Options, Parser
    from fluxcap.tables.table import Table

T = TypeVar("T", bound="Table")
HEX: Final = "hex"


class Form(NamedTuple):
    """What the IDs are made with."""

    seed: int
    encoding: Any


def add(parser: Parser) -> None:
    """Add --community-id."""
    what = f"add the column {COMMUNITY_ID} with this seed, 0 to {MOST_SEED}; ,{HEX}: in hexadecimal digits"
    parser.add_argument("--community-id", type=_form, metavar=f"SEED[,{HEX}]", help=what)


def _form(text: str) -> Form:
    seed, comma, encoding = text.partition(",")
    if not (seed.isascii() and seed.isdigit() and int(seed) <= MOST_SEED):
        raise argparse.ArgumentTypeError(f"{seed!r} is no seed from 0 to {MOST_SEED}")
    if comma and encoding not in ENCODINGS:
        raise argparse.ArgumentTypeError(f"{encoding!r} is no encoding: {', '.join(ENCODINGS)}")
    return Form(int(seed), encoding or next(iter(ENCODINGS)))


def column(given: Options, columns: Sequence[str]) -> list[str]:
    """The name of the column, where it is asked for by the option and not among these."""
    return [COMMUNITY_ID] if given.community_id is not None and COMMUNITY_ID not in columns else []


def named(table: T, given: Options) -> T:
    """A table with the column, where the option asks for it."""
    return table if given.community_id is None else table.with_community_id(*given.community_id)
