"""The inputs as a whole: the line above a table, the members beside the rows of a JSON object."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fluxcap.errors import printable
from fluxcap.values import human
from fluxcap.values.metadata import JOINT

NAMED_INPUTS: Final = 2


def heading(metadata: Mapping[str, Any]) -> str:
    """Inputs, packets, bytes and the time they span, in one line."""
    packets = f"{human.count(metadata['packets'])} packet{'' if metadata['packets'] == 1 else 's'}"
    parts = [named(metadata["inputs"]), packets, human.octets(metadata["wire_octets"])]
    if metadata["first"] is not None:
        parts.append(human.span(metadata["first"], metadata["last"]))
    return JOINT.join(parts)


def named(inputs: Iterable[str]) -> str:
    """The names of the inputs, as many as there is room for."""
    names = list(inputs)
    shown = ", ".join(map(printable, names[:NAMED_INPUTS]))
    more = len(names) - NAMED_INPUTS
    return f"{shown} and {human.count(more)} more" if more > 0 else shown
