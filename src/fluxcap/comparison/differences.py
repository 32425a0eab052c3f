"""Where the payload of a changed packet begins to differ: both captures are read once more for it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fluxcap import _core
from fluxcap._core import PayloadWatcher
from fluxcap.capture.reading import Reading
from fluxcap.values.names import CROSSED_MARKS

if TYPE_CHECKING:
    from fluxcap.capture.inputs import Input
    from fluxcap.plan.read_options import ReadOptions
    from fluxcap.values.arrays import Array

UNKNOWN: Final = -1  # also of what was not changed
CHANGED: Final = 1 << CROSSED_MARKS.index("changed")


class PayloadReading(Reading):
    """A reading that keeps the payload of some packets."""

    scanner: PayloadWatcher

    def _scanner(self, **told: Any) -> PayloadWatcher:
        return PayloadWatcher(**told)


def first_differences(rows: Mapping[str, Array], sides: Sequence[Sequence[Input]], options: ReadOptions) -> Array:
    """Of each row of the core the place of the first byte of payload that differs, -1 where none does, or where no
    sides are to be read."""
    places = np.full(len(rows["marks"]), UNKNOWN, np.int64)
    changed = np.flatnonzero(rows["marks"] & CHANGED)
    if len(changed) == 0 or not sides:
        return places
    kept, of_rows = [], []
    for point, inputs in zip("ab", sides, strict=True):
        time, file, packet = (rows[f"{name}_{point}"][changed] for name in ("time", "file", "packet"))
        # The order in which the records come.
        order = np.lexsort((packet, file, time) if options.order else (packet, file))
        reading = PayloadReading(options._replace(threads=1))
        reading.scanner.want(np.ascontiguousarray(file[order]), np.ascontiguousarray(packet[order]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the readings before have said the same
            for _ in reading.read(inputs):
                pass
        kept.append(reading.scanner)
        of_rows.append(np.argsort(order, kind="stable"))
    found = np.empty(len(changed), np.int64)
    (a, b), (of_a, of_b) = kept, of_rows
    _core.first_differences(a, b, of_a, of_b, found)
    places[changed] = found
    return places
