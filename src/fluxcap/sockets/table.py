"""Sockets: the ends of connections, gathered by protocol, address and port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from fluxcap.capture.inputs import Captures
from fluxcap.plan.read_options import OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.sockets.ends import Ends, collect_ends, distinct_rows, pairs
from fluxcap.tables.connections import ConnectionTable
from fluxcap.tables.table import Table
from fluxcap.values import human, text
from fluxcap.values.names import FIN, PROTOCOLS_WITH_PORTS, ROLES, RST, SOCKET_COLUMNS, TCP

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration
    from fluxcap.values.arrays import Array

# What Zeek's states say about the attempt to connect. OTH says nothing: the connection began before the capture.
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
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    ignore_checksums: bool = False,
    server_names: bool = False,
    max_memory: int | str | None = None,
    threads: int | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> SocketTable:
    """Read captures into one table of sockets: who listened, connected, was refused.

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
    ignore_checksums : bool, default False
        Let records with a bad checksum take part in their connection, as `zeek -C` does.
    server_names : bool, default False
        Add the name under which a socket was connected to, as far as the packets tell it: columns `server_name` and
        `server_name_basis` (docs/server-names.md). Only one thread reads then.
    max_memory : int or str, optional
        Stop, with a warning, before the connections that the sockets are gathered from take more than this: bytes,
        or a text such as "512M" or "2GiB". What was read before is exact.
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
    options = ReadOptions(where, decap, threads, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead)
    return collect_sockets(src, options, ignore_checksums, max_memory, server_names)


def collect_sockets(
    src: Captures,
    options: ReadOptions,
    ignore_checksums: bool = False,
    max_memory: int | str | None = None,
    server_names: bool = False,
) -> SocketTable:
    """Read captures into the sockets at the ends of their connections."""
    return collect_ends(src, options, ignore_checksums, max_memory, socket_table, server_names)


def socket_table(connections: ConnectionTable) -> SocketTable:
    """The sockets at the ends of connections, made column by column: all ends at once take four times the memory."""
    which = np.isin(connections["protocol"], PROTOCOLS_WITH_PORTS)
    c = _Columns(connections, None if which.all() else which)
    sockets, ends = _sockets(c["protocol"], (c["src_ip"], c["dst_ip"]), (c["src_port"], c["dst_port"]))
    is_tcp = c["protocol"] == TCP
    answered, refused, unanswered = attempts(c)
    flags, reverse_flags = c["tcp_flags"], c["reverse_tcp_flags"]
    ended = ((flags | reverse_flags) & RST > 0) | (flags & reverse_flags & FIN > 0)
    listens = ends.sum(None, is_tcp & ~refused & answered & ~unanswered) > 0
    columns: dict[str, Array] = {
        **sockets,
        "role": _roles(sockets["protocol"], listens, ends.sum(is_tcp, None) > 0),
        "role_basis": ends.reduce(np.maximum, c["direction_basis"]),  # the best basis is the last of DIRECTION_BASES
        "peers": ends.peers(),
        "connections": ends.sum(np.ones_like(is_tcp), np.ones_like(is_tcp)),
        **ends.times(c["first"], c["last"]),
        "sent_packets": ends.sum(c["packets"], c["reverse_packets"]),
        "sent_payload_bytes": ends.sum(c["payload_bytes"], c["reverse_payload_bytes"]),
        "received_packets": ends.sum(c["reverse_packets"], c["packets"]),
        "received_payload_bytes": ends.sum(c["reverse_payload_bytes"], c["payload_bytes"]),
        "unreachable": ends.sum(c["reverse_unreachable"], c["unreachable"]),
        "fin": ends.sum(flags & FIN > 0, reverse_flags & FIN > 0),
        "rst": ends.sum(flags & RST > 0, reverse_flags & RST > 0),
    }
    of_both = {
        "accepted": _in_state(c, ACCEPTED) & is_tcp,
        "refused": refused,
        "unanswered": unanswered,
        "open": is_tcp & ~refused & ~unanswered & ~ended,
    }
    columns |= {name: ends.sum(values, values) for name, values in of_both.items()}
    named = connections.metadata.get("server_names")
    names = _names(ends, c["server_name"], c["server_name_basis"]) if named else {}
    return SocketTable({**{name: columns[name] for name in SOCKET_COLUMNS}, **names}, connections.metadata)


def _names(ends: Ends, names: Array, bases: Array) -> dict[str, Array]:
    """The names of the sockets that were connected to: of the first connection with the best basis there is."""
    there = np.flatnonzero(bases)
    best = there[np.lexsort((-there, bases[there]))]  # the last one of a socket is written last
    sockets = ends.second(best)
    name, basis = np.zeros(len(ends.firsts), names.dtype), np.zeros(len(ends.firsts), bases.dtype)
    name[sockets], basis[sockets] = names[best], bases[best]
    return {"server_name": name, "server_name_basis": basis}


def attempts(columns: _Columns | ConnectionTable) -> tuple[Array, Array, Array]:
    """Whether each connection was answered, refused, or left unanswered."""
    is_tcp, answered = columns["protocol"] == TCP, columns["reverse_packets"] > 0
    refused = _in_state(columns, REFUSED) & is_tcp | ~answered & (columns["unreachable"] > 0)
    unanswered = np.where(is_tcp, _in_state(columns, UNANSWERED), ~answered) & ~refused
    return answered, refused, unanswered


class _Columns:
    """Columns of some rows of a table; of all rows nothing is copied."""

    def __init__(self, table: ConnectionTable, which: Array | None) -> None:
        self._table = table
        self._which = which

    def __getitem__(self, name: str) -> Array:
        return self._table[name] if self._which is None else self._table[name][self._which]


def _in_state(columns: _Columns | ConnectionTable, states: tuple[str, ...]) -> Array:
    names = text.KINDS["state"]
    return np.isin(columns["state"], [names.index(state) for state in states])


def _roles(protocols: Array, listens: Array, connects: Array) -> Array:
    roles = np.full(len(protocols), ROLES.index("none"), np.uint8)
    roles[listens] = ROLES.index("listener")
    roles[connects] = ROLES.index("connector")
    roles[listens & connects] = ROLES.index("both")
    roles[protocols != TCP] = ROLES.index("datagram")
    return roles


def _sockets(
    protocols: Array, addresses: tuple[Array, Array], ports: tuple[Array, Array]
) -> tuple[dict[str, Array], Ends]:
    """The sockets at the ends of connections, in the order of the first connection of each."""
    both = pairs(addresses)
    hosts, _ = distinct_rows(both)
    keys = hosts.reshape(-1, 2).astype(np.uint64) << 24
    keys[:, 0] |= ports[0].astype(np.uint64) << 8 | protocols
    keys[:, 1] |= ports[1].astype(np.uint64) << 8 | protocols
    ends = Ends(keys.view(np.uint8).reshape(-1, 8))
    first_keys = keys.reshape(-1)[ends.firsts]
    columns: dict[str, Array] = {
        "protocol": first_keys.astype(np.uint8),
        "address": both[ends.firsts],
        "port": (first_keys >> 8).astype(np.uint16),
    }
    return columns, ends
