"""--payload: the first bytes of packets, or of flows."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from fluxcap.plan.payload import NONE, Payload, told

if TYPE_CHECKING:
    from fluxcap.cli.options import Parser

IP: Final = "ip"
MASKED: Final = "masked"


def add(parser: Parser, whose: str) -> None:
    """Add --payload."""
    what = f"the first N payload bytes of {whose}; ,{IP}: from its IP header on; ,{MASKED}: without addresses and ports"
    parser.add_argument("--payload", type=_asked, default=NONE, metavar=f"N[,{IP}][,{MASKED}]", help=what)


def _asked(text: str) -> Payload:
    octets, *more = text.split(",")
    if not (octets.isascii() and octets.isdigit()):
        raise argparse.ArgumentTypeError(f"{octets!r} is not a whole number")
    if wrong := [word for word in more if word not in (IP, MASKED)]:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is neither {IP} nor {MASKED}")
    asked = Payload(int(octets), "ip" if IP in more else "payload", MASKED in more)
    try:
        told(asked)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return asked
