"""Auditing captures: one reading, aggregated batch by batch."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from fluxcap._core import losses
from fluxcap.capture.inputs import Captures, expand
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.reports import verdicts
from fluxcap.reports.audit import files
from fluxcap.reports.audit.conversations import Conversations
from fluxcap.reports.audit.findings import CODES, verdict
from fluxcap.reports.audit.packets import Copied, Cut, Fragments, Joined, Offload
from fluxcap.reports.audit.report import AuditReport
from fluxcap.reports.audit.times import Clocks, Times
from fluxcap.reports.survey import Survey
from fluxcap.tables.connections import ConnectionTable
from fluxcap.tables.flows import flow_table
from fluxcap.tables.gathering import gather
from fluxcap.tables.packets import PacketTable
from fluxcap.tables.scan import BATCH_ROWS
from fluxcap.values import human
from fluxcap.values.names import TCP

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration
    from fluxcap.reports.info import CaptureInfo

# A segment with a bad checksum was captured, whatever its receiver made of it: it is no loss.
PLAN: Final = FlowPlan(connections=True, ignore_checksums=True)


def read_audit(
    src: Captures,
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> AuditReport:
    """Find out what captures can prove and what they cannot: losses, disorder, clocks, cut and joined packets.

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
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the input does, with `metadata["interrupted"]` True.

    Returns
    -------
    AuditReport
        A verdict in a sentence, and one finding for each reason not to believe the tables in everything.

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

    See Also
    --------
    read_info : formats, times, protocols and the ledger, without looking at connections.
    read_checksums : a verdict on every checksum.

    Examples
    --------
    >>> import fluxcap
    >>> fluxcap.read_audit("samples/session.pcap").sentence
    'Complete and in order.'
    """
    options = ReadOptions(where, decap, 1, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead)
    return collect_audit(src, options)


def collect_audit(src: Captures, options: ReadOptions) -> AuditReport:
    """Read captures once and audit them."""
    audit = Audit(options)
    return gather(audit.survey, expand(src), audit.add, audit.report)


def collect_both(src: Captures, options: ReadOptions) -> tuple[CaptureInfo, AuditReport]:
    """Read captures once, describe and audit them."""
    audit = Audit(options)
    return gather(audit.survey, expand(src), audit.add, lambda: (audit.survey.info(), audit.report()))


class Audit:
    """What has been seen of captures up to now."""

    def __init__(self, options: ReadOptions) -> None:
        self.times, self.clocks = Times(options.order is not None), Clocks()
        self.copied = Copied()
        self.cut, self.offload, self.joined, self.fragments = Cut(), Offload(), Joined(), Fragments()
        self.conversations = Conversations()
        self._parts = (
            *(self.times, self.clocks, self.cut, self.offload, self.joined, self.fragments),
            *(self.copied, self.conversations),
        )
        columns = tuple(dict.fromkeys(chain.from_iterable(part.COLUMNS for part in self._parts)))
        # One thread: rows are made in order.
        self.survey = Survey(options._replace(threads=1), key=PLAN.spec(), columns=columns, row_limit=BATCH_ROWS)

    def add(self, packets: PacketTable) -> None:
        """Look at a batch of packets."""
        if len(packets):
            for part in self._parts:
                part.add(packets)

    def report(self) -> AuditReport:
        """The report on what was read. Called once: the connections are taken."""
        info = self.survey.info()
        lost = np.zeros((self.survey.scanner.open_flows, 2), np.uint64)
        losses(self.survey.scanner, lost)
        connections = flow_table(ConnectionTable, self.survey, PLAN, last=True)
        findings = tuple(
            sorted(
                chain(
                    files.drops(info),
                    files.damage(info),
                    # What has lost its ports is in no connection, and would be missed there; it looks like others too.
                    () if self.cut.headers else self.conversations.findings(connections, lost),
                    () if self.cut.headers else self.copied.findings(),
                    self.cut.findings(),
                    self.fragments.findings(),
                    self.times.findings(),
                    self.clocks.findings(info.inputs),
                    self.joined.findings(),
                    self.offload.findings(),
                ),
                key=lambda finding: CODES.index(finding.code),
            )
        )
        nothing = _nothing(info.packets, verdicts.examined(info))
        talks = int(np.count_nonzero(connections["protocol"] == TCP))
        return AuditReport(nothing or verdict(findings), findings, info.packets, talks, connections.metadata)


def _nothing(packets: int, examined: int) -> str:
    """What to say where no packet was looked at; "" where some were."""
    if not packets:
        return "There is no packet in this capture."
    return "" if examined else f"No packet passed the filter, of {human.count(packets)}: nothing was audited."
