"""The life of a socket: the calls of the sockets interface that the records of a capture imply, in their order."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fluxcap._core import VERDICTS
from fluxcap.capture.inputs import Captures, expand
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.sockets.calls import Address, Conversation, Datagrams, Event, Log, Record, Stream
from fluxcap.tables.gathering import by_batch, gather
from fluxcap.tables.table import Table
from fluxcap.values import human
from fluxcap.values.metadata import Metadata
from fluxcap.values.names import ACK, CALLS, EVIDENCE, ICMP, ICMPV6, PROTOCOLS_WITH_PORTS, TCP
from fluxcap.values.text import IPV4_PREFIX

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration
    from fluxcap.tables.packets import PacketTable
    from fluxcap.values.arrays import Array

COLUMNS: Final = (
    *("file", "packet", "time", "protocol", "src_ip", "src_port", "dst_ip", "dst_port"),
    *("tcp_flags", "tcp_seq", "tcp_ack", "payload_length", "verdict", "flow", "quoted_flow"),
)
PORT_UNREACHABLE: Final = ((ICMP, 3, 3), (ICMPV6, 1, 4))  # protocol, type, code: RFC 792, RFC 4443 section 3.1
CORRUPT: Final = tuple(VERDICTS.index(verdict) for verdict in ("bad", "illegal"))  # what a kernel drops


class LifeTable(Table):
    """One row a call of the Sockets API, or its outcome, in the order of the records that show them.

    `evidence` says whether the record shows the call, or only what follows from the call. Repetitions share a
    row, and `records` counts them. `metadata["socket"]` names the socket.

    See Also
    --------
    read_life : makes these tables.

    Examples
    --------
    >>> import fluxcap
    >>> fluxcap.read_life("samples/session.pcap", "192.0.2.2:8081").metadata["socket"]
    '192.0.2.2:8081'
    """

    __slots__ = ()

    def _witness(self, name: str) -> Any:
        """Calls without a peer have zeros in its place."""
        return self[name].any(axis=1).view(np.uint8) if name == "peer_address" else None

    def _title(self) -> str:
        return f"{human.counted(len(self), 'event')} of {self.metadata['socket']}"


def parse(socket: str) -> Address:
    """`ADDRESS:PORT`, an IPv6 address in brackets, as 16 bytes and a number. ValueError if it is not that."""
    address, _, port = socket.rpartition(":")
    try:
        ip = ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
    except ValueError:
        ip = None
    if ip is None or not (port.isascii() and port.isdigit() and int(port) <= 0xFFFF):
        raise ValueError(f"{socket!r} is no socket: write ADDRESS:PORT, as in 192.0.2.1:80 or [2001:db8::1]:80")
    return (IPV4_PREFIX if ip.version == 4 else b"") + ip.packed, int(port)


def read_life(
    src: Captures,
    socket: str,
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    ignore_checksums: bool = False,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> LifeTable:
    """Read the calls that one socket's records imply: bind, listen, accept, connect, write, read, close.

    Parameters
    ----------
    src : path, URL, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    socket : str
        "ADDRESS:PORT", an IPv6 address in brackets. Every protocol that the socket is seen with counts.
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
    ignore_checksums : bool, default False
        Let records with a bad checksum take part in their connection, as `zeek -C` does.
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the input does, with `metadata["interrupted"]` True.

    Returns
    -------
    LifeTable
        One row a call: `time`, `file` and `packet` of the record that shows the call, `protocol`, `call`,
        `peer_address` and `peer_port` (zeros without a peer), `octets`, `records` (how many show it), `evidence`
        ("seen" or "inferred").

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
        `socket` is not an address with a port.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is returned.

    Notes
    -----
    Records are read in bounded memory; what is kept grows with the peers and the calls of the socket.
    docs/sockets.md says what each call is taken from.

    Examples
    --------
    >>> import fluxcap
    >>> life = fluxcap.read_life("samples/session.pcap", "192.0.2.2:8081")
    >>> life.columns[:5]
    ('time', 'file', 'packet', 'protocol', 'call')
    """
    return collect_life(
        src,
        socket,
        ReadOptions(where, decap, 1, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead),
        ignore_checksums,
    )


def collect_life(src: Captures, socket: str, options: ReadOptions, ignore_checksums: bool = False) -> LifeTable:
    """Read captures into the calls of one socket."""
    life = Life(parse(socket), ignore_checksums)
    reading = by_batch(options, COLUMNS, FlowPlan())
    return gather(reading, expand(src), life.take, lambda: life.table({**reading.metadata(), "socket": socket}))


class Life:
    """The conversations of one socket, followed record by record."""

    def __init__(self, socket: Address, ignore_checksums: bool) -> None:
        self._socket = socket
        self._dropped = () if ignore_checksums else CORRUPT
        self._address = np.frombuffer(socket[0], np.uint8)
        self._log = Log()
        self._conversations: dict[tuple[int, Address], Conversation] = {}
        self._of_flow: dict[int, Conversation] = {}
        self._records = 0

    def take(self, packets: PacketTable) -> None:
        """Take the next packets, and of these the packets of the socket."""
        sent = self._is_at(packets, "src")
        with_ports = np.isin(packets["protocol"], PROTOCOLS_WITH_PORTS)
        rows = np.flatnonzero(with_ports & (sent | self._is_at(packets, "dst")) | (packets["quoted_flow"] >= 0))
        columns = [packets[name][rows].tolist() for name in COLUMNS if name not in ("src_ip", "dst_ip")]
        ips = [map(np.ndarray.tobytes, packets[name][rows]) for name in ("src_ip", "dst_ip")]
        for row in zip(*columns, *ips, sent[rows].tolist(), strict=True):
            self._record(*row)

    def _is_at(self, packets: PacketTable, end: str) -> Array:
        """Mask of the packets that have the socket at this end."""
        port: Array = packets[f"{end}_port"] == self._socket[1]
        port[port] = (packets[f"{end}_ip"][port] == self._address).all(axis=1)
        return port

    def _record(
        self,
        file: int,
        packet: int,
        time: int,
        protocol: int,
        src_port: int,
        dst_port: int,
        flags: int,
        seq: int,
        ack: int,
        payload: int,
        verdict: int,
        flow: int,
        quoted_flow: int,
        src_ip: bytes,
        dst_ip: bytes,
        sent: bool,
    ) -> None:
        self._records += 1
        record = Record(self._records, time, file, packet, sent, flags, seq, ack, payload)
        if quoted_flow >= 0:
            if (protocol, src_port, dst_port) in PORT_UNREACHABLE and quoted_flow in self._of_flow:
                self._unreachable(record, self._of_flow[quoted_flow], dst_ip)
            return
        conversation = self._conversation(record, protocol, (dst_ip, dst_port) if sent else (src_ip, src_port))
        self._of_flow[flow] = conversation
        if verdict in self._dropped:
            conversation.damaged(record)
        else:
            conversation.take(record)

    def _unreachable(self, record: Record, conversation: Conversation, dst_ip: bytes) -> None:
        """Take an ICMP error for the sender of the datagram or, if that could be either, of the last datagram."""
        own, peer = self._socket[0], conversation.peer[0]
        to_peer = not conversation.sent_last if own == peer else dst_ip == peer
        conversation.unreachable(record._replace(sent=to_peer))

    def _conversation(self, record: Record, protocol: int, peer: Address) -> Conversation:
        found = self._conversations.get((protocol, peer))
        asked = None
        if isinstance(found, Stream) and found.is_reopened_by(record):
            found.finish()
            asked = found.asked if record.flags & ACK else None
            found = None
        if found is None:
            found = (Stream if protocol == TCP else Datagrams)(self._log, protocol, peer)
            self._conversations[protocol, peer] = found
            if asked is not None:
                found.take(asked)
        return found

    def table(self, metadata: Metadata) -> LifeTable:
        """All events so far, with those that the end of the capture implies."""
        for conversation in self._conversations.values():
            conversation.finish()
        events = sorted((event for event in self._log.events if event.records), key=lambda event: event.record.order)
        return LifeTable(_columns(events), metadata)


def _columns(events: list[Event]) -> dict[str, Array]:
    def column(values: list[Any], kind: type) -> Array:
        return np.array(values, kind)

    peers = b"".join(event.peer[0] for event in events)
    return {
        "time": column([event.record.time for event in events], np.int64),
        "file": column([event.record.file for event in events], np.uint32),
        "packet": column([event.record.packet for event in events], np.uint64),
        "protocol": column([event.protocol for event in events], np.uint8),
        "call": column([CALLS.index(event.call) for event in events], np.uint8),
        "peer_address": np.frombuffer(peers, np.uint8).reshape(-1, 16),
        "peer_port": column([event.peer[1] for event in events], np.uint16),
        "octets": column([event.octets for event in events], np.uint64),
        "records": column([event.records for event in events], np.uint64),
        "evidence": column([EVIDENCE.index(event.evidence) for event in events], np.uint8),
    }
