"""Sockets: the ends of connections, gathered by protocol, address and port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from fluxcap.capture.inputs import Captures
from fluxcap.errors import CaptureError
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import OnDamage, OnInterrupt, ReadOptions
from fluxcap.tables.connections import ConnectionTable
from fluxcap.tables.flows import collect_flows
from fluxcap.tables.table import Table
from fluxcap.values import human, text
from fluxcap.values.names import FIN, PROTOCOLS_WITH_PORTS, ROLES, RST, SOCKET_COLUMNS, TCP

if TYPE_CHECKING:
    from fluxcap.values.arrays import Array

# What Zeek's states say of the attempt to connect; of OTH, which was under way before the capture, nothing is known.
ACCEPTED: Final = ("S1", "SF", "S2", "S3", "RSTO", "RSTR", "RSTRH", "SHR")
UNANSWERED: Final = ("S0", "SH", "RSTOS0")
REFUSED: Final = ("REJ",)


class SocketTable(Table):
    """One row a socket: a protocol, an address and a port that took part.

    Rows are in the order of the first records. docs/sockets.md describes the columns.

    See Also
    --------
    read_sockets : makes these tables.

    Examples
    --------
    >>> import fluxcap
    >>> fluxcap.read_sockets("samples/port-refused.pcap").columns[:4]
    ('protocol', 'address', 'port', 'role')
    """

    __slots__ = ()

    def _title(self) -> str:
        return human.counted(len(self), "socket")


def read_sockets(
    src: Captures,
    *,
    where: str | None = None,
    decap: bool = True,
    ignore_checksums: bool = False,
    max_memory: int | str | None = None,
    threads: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> SocketTable:
    """Read captures into one table of sockets: who listened, connected, was refused.

    Parameters
    ----------
    src : path, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    where : str, optional
        Count only records that match this filter, in tcpdump's language (extra `where`).
    decap : bool, default True
        Look into tunnels, down to the innermost packet. False: stop at the first IP header.
    ignore_checksums : bool, default False
        Let records with a bad checksum take part in their connection, as `zeek -C` does.
    max_memory : int or str, optional
        Stop, with a warning, before the connections that the sockets are gathered from take more than this: bytes,
        or a text such as "512M" or "2GiB". What was read before is exact.
    threads : int, optional
        Threads to read with, at most one a processor. None: a few, or one for small inputs. The result is the same.
    on_damage : {"warn", "raise"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage; "raise" raises the CaptureError.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the input does, with `metadata["interrupted"]` True.

    Returns
    -------
    SocketTable
        One row a socket of TCP, UDP, UDP-Lite, SCTP or DCCP, in the order of the first records. docs/sockets.md
        defines each column.

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
    read_life : the calls that one socket made.

    Examples
    --------
    >>> import fluxcap
    >>> sockets = fluxcap.read_sockets("samples/port-refused.pcap")
    >>> bool(sockets["refused"].any())
    True
    """
    options = ReadOptions(where, decap, threads, on_damage, on_interrupt)
    return collect_sockets(src, options, ignore_checksums, max_memory)


def collect_sockets(
    src: Captures, options: ReadOptions, ignore_checksums: bool = False, max_memory: int | str | None = None
) -> SocketTable:
    """Read captures into the sockets at the ends of their connections."""
    plan = FlowPlan(connections=True, ignore_checksums=ignore_checksums, max_memory=max_memory)
    try:
        return socket_table(collect_flows(src, plan, options, ConnectionTable))
    except CaptureError as error:
        if isinstance(error.partial, ConnectionTable):
            error.partial = socket_table(error.partial)
        raise


def socket_table(connections: ConnectionTable) -> SocketTable:
    """The sockets at the ends of connections."""
    kept = connections.filter(np.isin(connections["protocol"], PROTOCOLS_WITH_PORTS))
    ends = _ends(kept)
    groups = Groups(ends["protocol"], ends["port"], ends["address"])
    columns = {name: groups.first(ends[name]) for name in ("protocol", "address", "port")}
    columns |= {name: groups.sum(ends[name]) for name in _SUMMED}
    columns["connections"] = groups.sizes
    columns["peers"] = groups.peers()
    columns["first"] = groups.reduce(np.minimum, ends["first"])
    columns["last"] = groups.reduce(np.maximum, ends["last"])
    columns["role_basis"] = groups.reduce(np.maximum, ends["role_basis"])  # the best is the last of DIRECTION_BASES
    columns["role"] = _roles(columns["protocol"], groups.any(ends["listens"]), groups.any(ends["connects"]))
    return SocketTable({name: columns[name] for name in SOCKET_COLUMNS}, connections.metadata)


_SUMMED: Final = (
    *("accepted", "refused", "unanswered", "sent_packets", "sent_payload_bytes", "received_packets"),
    *("received_payload_bytes", "fin", "rst", "open", "unreachable"),
)


def _ends(connections: ConnectionTable) -> dict[str, Array]:
    """Both ends of each connection, one after the other, each with what the connection was to it."""
    c = connections
    is_tcp = c["protocol"] == TCP
    answered = c["reverse_packets"] > 0
    refused = _in_state(c, REFUSED) & is_tcp | ~answered & (c["unreachable"] > 0)
    unanswered = np.where(is_tcp, _in_state(c, UNANSWERED), ~answered) & ~refused
    accepted = _in_state(c, ACCEPTED) & is_tcp
    flags, reverse_flags = c["tcp_flags"], c["reverse_tcp_flags"]
    ended = ((flags | reverse_flags) & RST > 0) | (flags & reverse_flags & FIN > 0)
    under_way = is_tcp & ~refused & ~unanswered & ~ended
    both = {
        "protocol": c["protocol"],
        "first": c["first"],
        "last": c["last"],
        "accepted": accepted,
        "refused": refused,
        "unanswered": unanswered,
        "open": under_way,
        "role_basis": c["direction_basis"],
    }
    each = {
        "address": (c["src_ip"], c["dst_ip"]),
        "port": (c["src_port"], c["dst_port"]),
        "sent_packets": (c["packets"], c["reverse_packets"]),
        "sent_payload_bytes": (c["payload_bytes"], c["reverse_payload_bytes"]),
        "received_packets": (c["reverse_packets"], c["packets"]),
        "received_payload_bytes": (c["reverse_payload_bytes"], c["payload_bytes"]),
        "fin": (flags & FIN > 0, reverse_flags & FIN > 0),
        "rst": (flags & RST > 0, reverse_flags & RST > 0),
        "unreachable": (c["reverse_unreachable"], c["unreachable"]),
        "listens": (np.zeros_like(is_tcp), is_tcp & ~refused & answered & ~unanswered),
        "connects": (is_tcp, np.zeros_like(is_tcp)),
    }
    return {name: np.stack((values, values), 1).reshape(-1) for name, values in both.items()} | {
        name: np.stack(values, 1).reshape(-1, *values[0].shape[1:]) for name, values in each.items()
    }


def _in_state(connections: ConnectionTable, states: tuple[str, ...]) -> Array:
    names = text.KINDS["state"]
    return np.isin(connections["state"], [names.index(state) for state in states])


def _roles(protocols: Array, listens: Array, connects: Array) -> Array:
    roles = np.full(len(protocols), ROLES.index("none"), np.uint8)
    roles[listens] = ROLES.index("listener")
    roles[connects] = ROLES.index("connector")
    roles[listens & connects] = ROLES.index("both")
    roles[protocols != TCP] = ROLES.index("datagram")
    return roles


class Groups:
    """Rows, two and two the ends of a connection, grouped by socket; groups in the order of their first rows."""

    def __init__(self, protocols: Array, ports: Array, addresses: Array) -> None:
        halves = np.ascontiguousarray(addresses).view(np.uint64)
        keys = (halves[:, 0], halves[:, 1], protocols.astype(np.uint32) << 16 | ports)
        order = np.lexsort(keys)
        starts_group = np.ones(len(order), bool)
        starts_group[1:] = np.any([key[order[1:]] != key[order[:-1]] for key in keys], axis=0)
        starts = np.flatnonzero(starts_group)
        self._firsts = order[starts]  # sorting is stable: the first row of each group
        self._by_first = np.argsort(self._firsts)
        self._order = order
        self._starts = starts
        self.sizes = np.diff(starts, append=len(order))[self._by_first].astype(np.uint64)
        self._group_of = np.empty(len(order), np.int64)
        self._group_of[order] = np.cumsum(starts_group) - 1

    def first(self, values: Array) -> Array:
        """The value that the first row of each group has."""
        return values[self._firsts[self._by_first]]

    def reduce(self, how: np.ufunc, values: Array) -> Array:
        """The values of each group, reduced to one."""
        if not len(values):
            return values
        reduced: Array = how.reduceat(values[self._order], self._starts)
        return reduced[self._by_first]

    def sum(self, values: Array) -> Array:
        """Their sum, or how many are true."""
        return self.reduce(np.add, values.astype(np.uint64))

    def any(self, values: Array) -> Array:
        """Whether one is true."""
        return self.reduce(np.logical_or, values)

    def peers(self) -> Array:
        """How many different groups are at the other ends."""
        n = len(self._starts)
        other = self._group_of.reshape(-1, 2)[:, ::-1].reshape(-1)
        pairs = np.sort(self._group_of * n + other)
        distinct = pairs[np.diff(pairs, prepend=-1) > 0]
        return np.bincount(distinct // max(n, 1), minlength=n)[self._by_first].astype(np.uint64)
