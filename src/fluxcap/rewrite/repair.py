"""Checksums that were left to the network card, completed in a copy of the capture."""

from __future__ import annotations

import os
from typing import Any, BinaryIO, NamedTuple

from fluxcap._core import Repairer
from fluxcap.capture.inputs import Capture, Input, expand
from fluxcap.capture.reading import Reading
from fluxcap.plan.read_options import OnDamage, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.whole_files import check_target, replacing


class Repair(NamedTuple):
    """What repair() changed.

    Attributes
    ----------
    packets : int
        Records of the capture.
    repaired : int
        Records that were changed.
    checksums : int
        Checksums of UDP, TCP, UDP-Lite, DCCP and ICMPv6 that were completed.
    ip_checksums : int
        Checksums of IPv4 headers that were completed.
    """

    packets: int
    repaired: int  # records that were changed
    checksums: int  # of UDP, TCP, UDP-Lite, DCCP and ICMPv6
    ip_checksums: int  # of IPv4 headers


def repair(
    src: Capture,
    dst: str | os.PathLike[str],
    *,
    tunnels: Tunnels | None = None,
    on_damage: OnDamage = "warn",
) -> Repair:
    """Copy a capture byte for byte, and complete the checksums that were left to the network card.

    Parameters
    ----------
    src : path, URL, "-", binary file or bytes
        One input. A compressed one is written decompressed.
    dst : path
        Capture to write; the file appears when it is whole.
    tunnels : dict of int to str, optional
        UDP ports that carry a tunnel besides the registered ones, as in {7777: "vxlan"}: docs/tunnels.md has the kinds.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.

    Returns
    -------
    Repair
        How many records and checksums were changed.

    Raises
    ------
    ValueError
        Several inputs are meant, or `dst` is the input or not a regular file.
    NotACaptureError, CaptureError, OSError
        As in read_flows(); with `on_damage="raise"` no file is written.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is returned.

    Notes
    -----
    Transport checksums with the verdict `partial` are completed, at every depth of a tunnel, and IPv4 header
    checksums of zero; checksums that are `bad` stay (docs/repair.md).

    Examples
    --------
    >>> import fluxcap, tempfile
    >>> done = fluxcap.repair("samples/veth-checksums-offloaded.pcap", tempfile.mkdtemp() + "/repaired.pcap")
    >>> done.checksums > 0
    True
    """
    item = single(expand(src))
    check_target(dst, [item.name])
    with replacing(dst) as out:
        return copy_repaired(item, out, ReadOptions(on_damage=on_damage, tunnels=tunnels))


def single(inputs: list[Input], done: str = "repaired") -> Input:
    """The one input, to which something is done. ValueError if there are several."""
    if len(inputs) > 1:
        raise ValueError(f"one capture is {done} at a time, and these are {len(inputs):,}; name one of them")
    return inputs[0]


class _Mending(Reading):
    """A reading that completes checksums in the bytes it reads, in all records and at every depth."""

    repairer: Repairer

    def _scanner(self, **told: Any) -> Repairer:
        self.repairer = Repairer(tunnels=told["tunnels"], resync=told["resync"])
        return self.repairer


def copy_repaired(item: Input, out: BinaryIO, options: ReadOptions) -> Repair:
    """Write the repaired copy to an empty, seekable file: the checksum of a datagram in fragments is known when its
    last fragment has come, and belongs into the first."""
    reading = _Mending(options)
    repairer = reading.repairer
    for _ in reading.read([item]):
        end = out.tell() + out.write(repairer.mended())
        for offset, octets in repairer.late():
            out.seek(offset)
            out.write(octets)
        out.seek(end)
    return Repair(repairer.totals()["packets"], *repairer.repaired)
