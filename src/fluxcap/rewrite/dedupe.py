"""A capture without the records of packets that other records hold already."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from fluxcap._core import REASONS, Copier, Scanner
from fluxcap.capture.damaged import Unchanged
from fluxcap.capture.inputs import Capture, Input, expand, refuse_once
from fluxcap.capture.reading import Reading
from fluxcap.plan.read_options import COPY_WINDOW, OnDamage, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.rewrite.extract import ROWS_AT_ONCE, copied
from fluxcap.rewrite.repair import single
from fluxcap.values.arrays import Array, arrays
from fluxcap.whole_files import check_target, replacing

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration


DONE = "freed of copies"


class Deduped(NamedTuple):
    """What dedupe() left out.

    Attributes
    ----------
    packets : int
        Records of the capture.
    copies : int
        Records that were left out.
    kinds : dict of str to int
        The same by kind: "exact", "other_vlan", "other_tunnel", "routed", "other_interface".
    """

    packets: int
    copies: int  # records that were left out
    kinds: Mapping[str, int]


def dedupe(
    src: Capture,
    dst: str | os.PathLike[str],
    *,
    window: Duration = COPY_WINDOW,
    tunnels: Tunnels | None = None,
    on_damage: OnDamage = "warn",
) -> Deduped:
    """Copy a capture byte for byte, without the copies of packets that mirrors and hops show again.

    Parameters
    ----------
    src : path, "-", binary file or bytes
        One input that can be read twice. A compressed one is written decompressed.
    dst : path
        Capture to write; the file appears when it is whole.
    window : float or str, default "10ms"
        Time within which a packet is seen again: seconds, or a text, at most "200ms".
    tunnels : dict of int to str, optional
        UDP ports that carry a tunnel besides the registered ones, as in {7777: "vxlan"}: docs/tunnels.md has the kinds.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.

    Returns
    -------
    Deduped
        How many records were left out, and of which kind.

    Raises
    ------
    ValueError
        Several inputs are meant, the input can be read only once or changes between two readings, or `dst` is the
        input or not a regular file.
    NotACaptureError, CaptureError, OSError
        As in read_flows(); with `on_damage="raise"` no file is written.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is copied.

    Notes
    -----
    docs/duplicates.md says what a copy is. What a sender sent again is none.

    Examples
    --------
    >>> import fluxcap, tempfile
    >>> done = fluxcap.dedupe("samples/office.pcap", tempfile.mkdtemp() + "/once.pcap")
    >>> done.copies <= done.packets
    True
    """
    item = single(expand(src), DONE)
    check_target(dst, [item.name])
    with replacing(dst) as out:
        return copy_deduped(item, out, ReadOptions(dedupe=window, tunnels=tunnels, on_damage=on_damage))


def copy_deduped(item: Input, out: BinaryIO, options: ReadOptions) -> Deduped:
    """Write the capture without copies to a stream."""
    refuse_once([item], "leave out its copies")
    unchanged = Unchanged([item])
    codes, numbers, packets = _copies(item, options)
    copier = Copier(resync=options.on_damage == "resync")
    for octets in copied(copier, item, numbers, left_out_of=packets):
        out.write(octets)
    unchanged.check()
    kinds = {REASONS[code]: int(n) for code, n in enumerate(np.bincount(codes)) if n}
    return Deduped(packets, len(numbers), kinds)


class _Marking(Reading):
    """A reading with rows of copies, which says of each which one it is."""

    def _scanner(self, **told: Any) -> Scanner:
        return super()._scanner(**told | {"dedupe": False})


def _copies(item: Input, options: ReadOptions) -> tuple[Array, Array, int]:
    """The kind and the number of each copy, and how many records there are."""
    reading = _Marking(options, columns=("duplicate_kind", "packet"), row_limit=ROWS_AT_ONCE)

    def taken() -> list[Array]:
        kind, packet = arrays(reading.scanner.take()).values()
        return [kind[kind > 0], packet[kind > 0]]

    parts = [*(taken() for _ in reading.read([item])), taken()]
    codes, numbers = (np.concatenate(one) for one in zip(*parts, strict=True))
    return codes, numbers, reading.scanner.totals()["packets"]
