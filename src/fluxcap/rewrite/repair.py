"""Checksums that were left to the network card, completed in a copy of the capture."""

from __future__ import annotations

import os
from typing import BinaryIO, NamedTuple

from fluxcap._core import Repairer
from fluxcap.capture.inputs import Capture, Input, expand
from fluxcap.capture.reading import OnDamage, Reading
from fluxcap.whole_files import check_target, replacing


class Repair(NamedTuple):
    """What was changed in a capture of so many records."""

    packets: int
    repaired: int  # records that were changed
    checksums: int  # of UDP, TCP, UDP-Lite, DCCP and ICMPv6
    ip_checksums: int  # of IPv4 headers


def repair(src: Capture, dst: str | os.PathLike[str], *, on_damage: OnDamage = "warn") -> Repair:
    """Copy a capture octet for octet, but complete the checksums that were left to the network card.

    `src`: one input as read_flows() takes it; a compressed one is written decompressed. `dst`: a path, whose file
    appears when it is whole. Changed are transport checksums whose verdict is `partial`, at every depth of a tunnel,
    and IPv4 header checksums of zero; what is `bad` stays (docs/repair.md). Returned: how many were changed.

    Raises ValueError where several inputs are meant, and where `dst` is the input or no regular file. A damaged input
    is copied up to the damage: DamagedCaptureWarning, or with `on_damage="raise"` a CaptureError and no file.
    """
    item = single(expand(src))
    check_target(dst, [item.name])
    with replacing(dst) as out:
        return copy_repaired(item, out, on_damage)


def single(inputs: list[Input]) -> Input:
    """The one input. ValueError if there are several."""
    if len(inputs) > 1:
        raise ValueError(f"one capture is repaired at a time, and these are {len(inputs):,}; name one of them")
    return inputs[0]


def copy_repaired(item: Input, out: BinaryIO, on_damage: OnDamage) -> Repair:
    """Write the repaired copy to a file that is empty and can be gone back in: the checksum of a datagram in fragments
    is known when its last one has come, and belongs into the first."""
    repairer = Repairer()
    reading = Reading(scanner=repairer, on_damage=on_damage)
    for _ in reading.read([item]):
        end = out.tell() + out.write(repairer.mended())
        for offset, octets in repairer.late():
            out.seek(offset)
            out.write(octets)
        out.seek(end)
    return Repair(repairer.totals()["packets"], *repairer.repaired)
