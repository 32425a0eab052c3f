"""Judging the checksums of captures: verdicts are counted, bad records listed, their origins and causes found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fluxcap._core import REASONS, VERDICTS
from fluxcap.capture.inputs import Captures, Input, expand
from fluxcap.capture.reading import Reading
from fluxcap.plan import keys
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.reports import origins
from fluxcap.reports.checksum_report import BY, ChecksumReport, Source
from fluxcap.reports.origins import LINUX_SLL2, Named, Origin
from fluxcap.tables.packets import PacketTable

if TYPE_CHECKING:
    from fluxcap._core import CaptureFormat, Column
    from fluxcap.capture.merging import Merging
    from fluxcap.plan.durations import Duration
    from fluxcap.reports.hints import Hint
    from fluxcap.values.metadata import Metadata

SEGMENTATION_OFFLOAD = REASONS.index("segmentation_offload")
BAD_COLUMNS = (
    *("file", "packet", "time", "offset", "protocol", "src_ip", "src_port", "dst_ip", "dst_port"),
    *("verdict", "checksum", "expected", "ip_verdict", "ip_checksum", "ip_expected"),
    *("src_mac", "interface", "direction", "offload_flags"),
)
BAD, ILLEGAL = VERDICTS.index("bad"), VERDICTS.index("illegal")
IP_VERDICT_BIT = 16  # where the bits of `ip_verdict` begin in a scanner's `verdicts`
LISTED = 1 << BAD | 1 << ILLEGAL | 1 << IP_VERDICT_BIT + BAD
# Bad records that hints are looked for in. Causes show in hundreds; these take 2 MB and a few hundredths of a second.
EXAMINED = 16384


def read_checksums(
    src: Captures,
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    list_limit: int = 1000,
    threads: int | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> ChecksumReport:
    """Judge every checksum of captures; list the first bad ones and count the rest.

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
    list_limit : int, default 1000
        Bad records to list, at least 0.
    threads : int, optional
        Threads to read with, at most one a processor. None: all, few for small inputs. The result is the same.
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the input does, with `metadata["interrupted"]` True.

    Returns
    -------
    ChecksumReport
        Verdicts by protocol, the bad records, and who sent bad and partial checksums.

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
    ValueError
        `list_limit` is negative.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is returned.

    Examples
    --------
    >>> import fluxcap
    >>> report = fluxcap.read_checksums("samples/verdicts.pcap")
    >>> report.bad_records == len(report.bad)
    True
    >>> sorted(report.verdicts)  # protocol numbers
    [17]
    """
    options = ReadOptions(where, decap, threads, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead)
    return collect_checksums(src, list_limit, options)


def collect_checksums(src: Captures, list_limit: int, options: ReadOptions) -> ChecksumReport:
    """Read captures and judge their checksums."""
    check_limit(list_limit)
    reading = Judging(options, list_limit)
    with reading.partial(reading.report):
        for _ in reading.judge(expand(src)):
            pass
    return reading.report()


def check_limit(list_limit: int) -> None:
    """ValueError for a number of bad records to list that is none."""
    if list_limit < 0:
        raise ValueError(f"list_limit is at least 0, not {list_limit}")


def kept(list_limit: int) -> int:
    """How many bad records are kept where so many are listed."""
    return max(list_limit, EXAMINED)


class Judged(NamedTuple):
    """What a reading found of checksums: report_on() puts it into words."""

    packets: int
    verdicts: dict[int, dict[str, int]]
    ip_verdicts: dict[str, int]
    gre_verdicts: dict[str, int]
    segmented: int  # partial checksums that leave out the length
    bad_records: int
    bad: Mapping[str, Any]  # columns of the first of these
    flows: Mapping[str, Any]  # columns of flows by origins.KEY
    interfaces: list[list[Named]]  # of each input
    metadata: Metadata


class Judging(Reading):
    """A reading that judges checksums and notes the interfaces of each input; a pcap neither names nor numbers its
    interface."""

    def __init__(self, options: ReadOptions, list_limit: int, stepwise: bool = False) -> None:
        spec = FlowPlan(keys.parse(origins.KEY)).spec()
        rows = kept(list_limit)
        super().__init__(options, key=spec, columns=BAD_COLUMNS, verdicts=LISTED, row_limit=rows, stepwise=stepwise)
        self.depends_on_order = False  # counts by origin have no direction
        self.interfaces: list[list[Named]] = []
        self._list_limit = list_limit
        # The first bad records, and how many there are: rows after `row_limit` are counted and dropped.
        self._bad: dict[str, Column] = {}
        self._bad_records = 0

    def judge(self, inputs: Iterable[Input]) -> Iterator[None]:
        """Read the inputs; yields as read() does."""
        for _ in self.read(inputs):
            if self.rows_wait:
                self._take_bad()
            yield

    def report(self) -> ChecksumReport:
        """The report on what was read up to now."""
        return report_on(self.judged(), self._list_limit)

    def judged(self) -> Judged:
        """What was found up to now."""
        self._take_bad()
        totals = self.scanner.totals()
        return Judged(
            packets=totals["packets"],
            verdicts={protocol: verdict_names(counts) for protocol, counts in sorted(totals["verdicts"].items())},
            ip_verdicts=verdict_names(totals["ip_verdicts"]),
            gre_verdicts=verdict_names(totals["gre_verdicts"]),
            segmented=totals["reasons"][SEGMENTATION_OFFLOAD],
            bad_records=self._bad_records,
            bad=self._bad,
            flows=self.scanner.flows(),
            interfaces=self.interfaces,
            metadata=self.metadata(),
        )

    def note(self, item: Input) -> None:
        """An input was read."""
        self.interfaces.append(_numbered(self.scanner.format()))

    def note_merged(self, merging: Merging) -> None:
        """All inputs were read, as one."""
        self.interfaces += [_numbered(part.source.format()) for part in merging.parts]

    def _take_bad(self) -> None:
        columns = self.scanner.take()
        self._bad_records += len(columns["packet"])
        self._bad = self._bad or columns


def report_on(judged: Judged, list_limit: int) -> ChecksumReport:
    """The report on what was found, with so many bad records."""
    found = origins.find(judged.flows, judged.interfaces)
    listed = PacketTable(judged.bad, judged.metadata)
    return ChecksumReport(
        packets=judged.packets,
        verdicts=judged.verdicts,
        ip_verdicts=judged.ip_verdicts,
        gre_verdicts=judged.gre_verdicts,
        bad_records=judged.bad_records,
        bad=listed.head(list_limit) if len(listed) > list_limit else listed,
        sources=_sources(found.by_address),
        offload=origins.offload(found, judged.segmented),
        metadata=judged.metadata,
        **{name: getattr(found, name) for name in BY},
        blame=origins.blame(found),
        hints=_hints(judged.bad),
    )


def _numbered(form: CaptureFormat) -> list[Named]:
    named = [Named(_text(one["name"]), one["link_type"]) for one in form["interfaces"]]
    return named if form["name"] == "pcapng" or any(one.link_type == LINUX_SLL2 for one in named) else []


def _text(name: bytes) -> str:
    return name.rstrip(b"\0").decode(errors="replace")


def verdict_names(counts: Sequence[int]) -> dict[str, int]:
    """Counts by verdict code as counts by verdict name."""
    return dict(zip(VERDICTS, counts, strict=True))


def _hints(bad: Mapping[str, Column]) -> tuple[Hint, ...]:
    if not len(bad["packet"]):
        return ()
    from fluxcap.reports import hints
    from fluxcap.values.arrays import arrays

    return hints.find(arrays(bad))


def _sources(addresses: Sequence[Origin]) -> tuple[Source, ...]:
    partial = sorted((one for one in addresses if one.partial), key=lambda one: -one.partial)
    return tuple(Source(one.name, one.packets, one.partial, one.bad) for one in partial)
