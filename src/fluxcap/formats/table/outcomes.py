"""What became of a connection, in words for people. The letters of Zeek's conn_state, which have these meanings, are
written where the column `state` is asked for by name.
"""

from collections.abc import Iterable
from typing import Any, Final

from fluxcap.values import text
from fluxcap.values.names import TCP

OF_TCP: Final = {
    "S0": "no answer",
    "S1": "open",
    "SF": "closed",
    "REJ": "refused",
    "S2": "client closed",
    "S3": "server closed",
    "RSTO": "client reset",
    "RSTR": "server reset",
    "RSTOS0": "client gave up",
    "RSTRH": "server reset",
    "SH": "client gave up",
    "SHR": "server closed",
    "OTH": "midstream",
}
OF_OTHERS: Final = {"S0": "no answer", "SF": "answered", "SHR": "answers only", "OTH": ""}
NOTABLE: Final = frozenset(("no answer", "refused", "client reset", "server reset", "client gave up"))


def outcomes(states: Any, protocols: Iterable[int]) -> list[str]:
    """The outcome of each connection, from the columns `state` and `protocol`."""
    return [
        (OF_TCP if number == TCP else OF_OTHERS).get(state, state)
        for state, number in zip(text.cells("state", states), protocols, strict=True)
    ]


def style(cell: str) -> str:
    """Outcomes that stand out: nobody answered, or somebody refused or aborted."""
    return "yellow" if cell in NOTABLE else ""
