"""Surveying a capture without a table, so that numpy is not imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from fluxcap._core import ANOMALIES, REASONS, VERDICTS
from fluxcap.capture.damaged import Unchanged
from fluxcap.capture.inputs import Captures, Input, expand, refuse_once
from fluxcap.capture.reading import Reading
from fluxcap.plan.read_options import OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.reports.info import CaptureInfo, InputInfo, InterfaceInfo
from fluxcap.whole_files import naming

if TYPE_CHECKING:
    from fluxcap._core import CaptureFormat, Interface
    from fluxcap.capture.merging import Merging
    from fluxcap.plan.durations import Duration

HASHED_AT_ONCE: Final = 1 << 20  # bytes


def read_info(
    src: Captures,
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    threads: int | None = None,
    ahead: int | None = None,
    sha256: bool = False,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> CaptureInfo:
    """Survey captures: formats, times, protocols, the ledger, checksum verdicts, anomalies.

    Parameters
    ----------
    src : path, URL, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    where : str, optional
        Count only records that match this filter, in tcpdump's language (extra `where`).
    inner : bool, default False
        Put the filter to the innermost IP packet. False: to the outermost headers, as tcpdump does.
    decap : bool, default True
        Look into tunnels, down to the innermost packet. False: stop at the first IP header.
    tunnels : dict of int to str, optional
        UDP ports that carry a tunnel besides the registered ones, as in {7777: "vxlan"}: docs/tunnels.md has the kinds.
    order : {"time"}, optional
        "time": merge the inputs in the order of time, and sort the records of each within `reorder`. None: as they
        stand.
    reorder : float or str, optional
        How much later than its time a record may stand in its input: seconds, or a text such as "100ms". None: "1s".
    dedupe : bool, float or str, default False
        Leave out copies of packets, which mirrors and hops show again within 10 ms, or within this: at most "200ms",
        seconds or a text (docs/duplicates.md).
    threads : int, optional
        Threads to read with, at most one a processor. None: all, few for small inputs. The result is the same.
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    sha256 : bool, default False
        Hash the bytes of each input as they are stored, which reads it a second time.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the input does, with `metadata["interrupted"]` True.

    Returns
    -------
    CaptureInfo
        One object for all inputs together, with a description of each.

    Raises
    ------
    NotACaptureError
        An input is not a capture.
    FilterError
        libpcap refuses the filter.
    CaptureError
        An input is damaged and `on_damage` is "raise"; `partial` holds what was read before the damage.
    OSError
        An input cannot be opened.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is returned.

    Examples
    --------
    >>> import fluxcap
    >>> info = fluxcap.read_info("samples/two-resolutions.pcapng")
    >>> len(info.inputs), info.inputs[0].format
    (1, 'pcapng')
    >>> sum(packets for packets, _ in info.ledger.values()) == info.packets
    True
    """
    return collect_info(
        src,
        ReadOptions(where, decap, threads, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead),
        sha256,
    )


def collect_info(src: Captures, options: ReadOptions, sha256: bool = False) -> CaptureInfo:
    """Read captures and describe them; with `sha256` their bytes are hashed, too. ValueError if one can be read only
    once."""
    inputs = expand(src)
    if sha256:
        refuse_once(inputs, "hash it")
    unchanged = Unchanged(inputs)
    reading = Survey(options)
    info = reading.collect(inputs, reading.info)
    return with_hashes(info, inputs, unchanged) if sha256 else info


def with_hashes(info: CaptureInfo, inputs: Sequence[Input], unchanged: Unchanged) -> CaptureInfo:
    """The same with the hashes of its inputs, which are read a second time. ChangedError if they are not those that
    were described."""
    hashes = {item.name: _sha256(item) for item in inputs if item.name in info.metadata["inputs"]}
    unchanged.check(may_grow=False)
    return info._replace(inputs=tuple(one._replace(sha256=hashes[one.name]) for one in info.inputs))


def _sha256(item: Input) -> str:
    """The hash of an input as it is stored."""
    import hashlib

    hashed, buffer = hashlib.sha256(), memoryview(bytearray(HASHED_AT_ONCE))
    with item.source() as source, naming(item.name):
        while n := source.readinto(buffer):
            hashed.update(buffer[:n])
    return hashed.hexdigest()


class Survey(Reading):
    """A reading that describes each input."""

    def __init__(self, options: ReadOptions, **told: Any) -> None:
        super().__init__(options, **told)
        self.surveyed: list[InputInfo] = []
        self._before = self.scanner.totals()

    def note(self, item: Input) -> None:
        """An input was read."""
        before, self._before = self._before, self.scanner.totals()
        counted = (
            self._before["packets"] - before["packets"],
            self._before["captured_octets"] - before["captured_octets"],
            self._before["wire_octets"] - before["wire_octets"],
        )
        self.surveyed.append(_described(item, self.compression, self.scanner.format(), counted))

    def note_merged(self, merging: Merging) -> None:
        """All inputs were read, as one."""
        for place, part in enumerate(merging.parts):
            packets, captured, wire, _ = merging.merger.counted(place)
            form = part.source.format()
            self.surveyed.append(_described(part.item, part.compression, form, (packets, captured, wire)))

    def info(self) -> CaptureInfo:
        """The description of all inputs read up to now."""
        totals = self.scanner.totals()
        metadata = self.metadata()
        return CaptureInfo(
            inputs=tuple(self.surveyed),
            packets=totals["packets"],
            captured_octets=totals["captured_octets"],
            wire_octets=totals["wire_octets"],
            first=totals["first"],
            last=totals["last"],
            in_order=metadata["in_order"],
            link_types=totals["link_types"],
            ip_versions=totals["ip_versions"],
            protocols={protocol: sum(counts) for protocol, counts in totals["verdicts"].items()},
            ledger=metadata["ledger"],
            reasons=_named(REASONS, totals["reasons"]),
            verdicts={protocol: _named(VERDICTS, counts) for protocol, counts in totals["verdicts"].items()},
            ip_verdicts=_named(VERDICTS, totals["ip_verdicts"]),
            gre_verdicts=_named(VERDICTS, totals["gre_verdicts"]),
            anomalies=_named(ANOMALIES, totals["anomalies"]),
            non_ip=totals["non_ip"],
            metadata=metadata,
        )


def _described(item: Input, compression: str, form: CaptureFormat, counted: tuple[int, int, int]) -> InputInfo:
    packets, captured, wire = counted
    return InputInfo(
        name=item.name,
        size=item.size,
        compression=compression,
        format=form["name"],
        variant=form["variant"],
        byte_order=form["byte_order"],
        sections=form["sections"],
        interfaces=tuple(map(_interface, form["interfaces"])),
        packets=packets,
        captured_octets=captured,
        wire_octets=wire,
    )


def _named(names: Sequence[str], counts: Sequence[int]) -> dict[str, int]:
    return dict(zip(names, counts, strict=True))


def _interface(interface: Interface) -> InterfaceInfo:
    return InterfaceInfo(
        name=interface["name"].decode(errors="replace"),
        link_type=interface["link_type"],
        snaplen=interface["snaplen"],
        packets=interface["packets"],
        ticks_per_second=interface["ticks_per_second"],
        dropped=interface["dropped"],
    )
