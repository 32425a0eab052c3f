"""Hosts: the addresses at the ends of connections, or of all frames, and what each sent and received."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from fluxcap.capture.inputs import Captures, expand
from fluxcap.errors import unknown
from fluxcap.plan import keys
from fluxcap.plan.read_options import OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.sockets.ends import Ends, collect_ends, pairs
from fluxcap.sockets.frames import FRAME_COLUMNS, MAC_OCTETS, Frames, has_mac
from fluxcap.sockets.table import attempts
from fluxcap.tables.connections import ConnectionTable
from fluxcap.tables.gathering import by_batch, gather
from fluxcap.tables.table import Table
from fluxcap.values import human, names
from fluxcap.values.names import HOST_COLUMNS, HOST_COUNTS, MAC_COLUMNS, PROTOCOLS_WITH_PORTS
from fluxcap.values.text import IPV4_BITS, IPV4_PREFIX, IPV6_BITS

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration
    from fluxcap.values.arrays import Array
    from fluxcap.values.metadata import Metadata

ADDRESS, MAC = "address", "mac"  # what a host may be named by
PORTS_WIDTH: Final = 31  # bytes of `ports`, the most that a column of letters has
MOST_NAMED: Final = 6  # ports that fit, the shortest being `1/tcp`


class HostTable(Table):
    """One row a host: an IP address, a network or a MAC address that sent or received.

    Rows are in the order of the first records. docs/hosts.md describes the columns.

    See Also
    --------
    read_hosts : makes these tables.

    Examples
    --------
    >>> import fluxcap
    >>> fluxcap.read_hosts("samples/port-refused.pcap").columns[:3]
    ('address', 'packets', 'bytes')
    """

    __slots__ = ()

    def _title(self) -> str:
        return human.counted(len(self), "host")


class By(NamedTuple):
    """What a host is: an address, cut to a prefix of so many bits, or a MAC address."""

    what: str = ADDRESS
    ipv4: int = IPV4_BITS
    ipv6: int = IPV6_BITS

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a table of these hosts."""
        return MAC_COLUMNS if self.what == MAC else HOST_COLUMNS

    @property
    def prefixes(self) -> dict[str, tuple[int, int]]:
        """The lengths of IPv4 and IPv6 prefixes of the columns that hold addresses."""
        return {} if self.what == MAC else {ADDRESS: (self.ipv4, self.ipv6)}


def parse(by: str) -> By:
    """What `by` names: "address", "address/24", "address/24/64" or "mac". ValueError if it names nothing."""
    what, slash, lengths = by.strip().partition("/")
    if what not in (ADDRESS, MAC):
        raise unknown("kind of host", what, (ADDRESS, MAC))
    if what == MAC and slash:
        raise ValueError(f"{by!r}: only {ADDRESS!r} takes a prefix length")
    try:
        _, ipv4, ipv6 = keys.parse(f"src_ip{slash}{lengths}").fields[0]
    except ValueError as error:
        raise ValueError(str(error).replace("src_ip", ADDRESS)) from None
    return By(what, ipv4, ipv6)


def read_hosts(
    src: Captures,
    by: str = ADDRESS,
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    ignore_checksums: bool = False,
    max_memory: int | str | None = None,
    threads: int | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> HostTable:
    """Read captures into one table of hosts: what each sent and received, from how many peers.

    Parameters
    ----------
    src : path, URL, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    by : str, default "address"
        "address": IP addresses. "address/24": networks, with a prefix length for IPv4; "address/24/64": one for IPv4
        and one for IPv6. "mac": MAC addresses of all frames, those without IP too.
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
        Let records with a bad checksum take part in their connection, as `zeek -C` does; it matters to `listening`.
    max_memory : int or str, optional
        Stop, with a warning, before the connections that the hosts are gathered from take more than this: bytes,
        or a text such as "512M" or "2GiB". What was read before is exact. MAC addresses have no connections.
    threads : int, optional
        Threads to read with, at most one a processor. None: all, few for small inputs. The result is the same.
        MAC addresses are read with one.
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the input does, with `metadata["interrupted"]` True.

    Returns
    -------
    HostTable
        One row a host, in the order of the first records. docs/hosts.md defines each column.

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
        `by` is not one of those described.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is returned.

    See Also
    --------
    read_sockets : the sockets of each host.

    Examples
    --------
    >>> import fluxcap
    >>> hosts = fluxcap.read_hosts("samples/office.pcap").sort("bytes")
    >>> hosts["ports"][0].decode()
    '443/tcp'
    """
    options = ReadOptions(where, decap, threads, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead)
    return collect_hosts(src, parse(by), options, ignore_checksums, max_memory)


def collect_hosts(
    src: Captures,
    by: By,
    options: ReadOptions,
    ignore_checksums: bool = False,
    max_memory: int | str | None = None,
) -> HostTable:
    """Read captures into the hosts at the ends of their connections, or of their frames."""
    if by.what == MAC:
        frames, reading = Frames(), by_batch(options, FRAME_COLUMNS)
        return gather(reading, expand(src), frames.add, lambda: _of_frames(frames, reading.metadata()))
    return collect_ends(src, options, ignore_checksums, max_memory, lambda connections: host_table(connections, by))


def host_table(connections: ConnectionTable, by: By) -> HostTable:
    """The hosts at the ends of connections."""
    c = connections
    sides = pairs((_network(c["src_ip"], by), _network(c["dst_ip"], by)))
    ends = Ends(sides)
    listening, ports = _listening(c, ends)
    columns = {
        ADDRESS: sides[ends.firsts],
        **_counts(ends, (c["packets"], c["bytes"]), (c["reverse_packets"], c["reverse_bytes"])),
        "listening": listening,
        "ports": ports,
        **ends.times(c["first"], c["last"]),
    }
    return HostTable({name: columns[name] for name in by.columns}, connections.metadata)


def _of_frames(frames: Frames, metadata: Metadata) -> HostTable:
    """The hosts at the ends of frames."""
    macs, packets, octets, first, last = frames.totals()
    ends = Ends(macs)
    none = np.zeros_like(packets)
    columns = {
        MAC: macs[ends.firsts][:, :MAC_OCTETS],
        **_counts(ends, (packets, octets), (none, none)),
        **ends.times(first, last),
    }
    # A link header without a receiver, or without a sender, has zeros there.
    missing = ~has_mac(macs)
    columns["peers"] -= (ends.sum(missing[1::2], missing[0::2]) > 0).astype(np.uint64)
    return HostTable({name: columns[name] for name in MAC_COLUMNS}, metadata).filter(~missing[ends.firsts])


def _counts(ends: Ends, there: tuple[Array, Array], back: tuple[Array, Array]) -> dict[str, Array]:
    """Packets and bytes of each host; `there` from the first ends of the rows to the second, `back` the other way."""
    sent = [ends.sum(ours, theirs) for ours, theirs in zip(there, back, strict=True)]
    received = [ends.sum(ours, theirs) for ours, theirs in zip(back, there, strict=True)]
    both = [out + back for out, back in zip(sent, received, strict=True)]
    return dict(zip(HOST_COUNTS, (*both, *sent, *received, ends.peers()), strict=True))


def _network(addresses: Array, by: By) -> Array:
    """The addresses with zeros behind their prefix."""
    if (by.ipv4, by.ipv6) == (IPV4_BITS, IPV6_BITS):
        return addresses
    is_ipv4 = (addresses[:, : len(IPV4_PREFIX)] == np.frombuffer(IPV4_PREFIX, np.uint8)).all(axis=1)
    masks = np.array([_mask(by.ipv6), _mask(8 * len(IPV4_PREFIX) + by.ipv4)])
    masked: Array = addresses & masks[is_ipv4.astype(np.intp)]
    return masked


def _mask(bits: int) -> Array:
    """Sixteen bytes with so many bits set from the left."""
    return np.packbits(np.arange(IPV6_BITS) < bits)


def _listening(c: ConnectionTable, ends: Ends) -> tuple[Array, Array]:
    """On how many ports each host answered, and the first of them in words: `22/tcp 53/udp +3`."""
    answered, refused, unanswered = attempts(c)
    rows = np.flatnonzero(answered & ~refused & ~unanswered & np.isin(c["protocol"], PROTOCOLS_WITH_PORTS))
    sockets = np.unique(ends.second(rows) << 24 | c["protocol"][rows].astype(np.intp) << 16 | c["dst_port"][rows])
    hosts = sockets >> 24
    counts = np.bincount(hosts, minlength=len(ends.firsts)).astype(np.uint64)
    words = np.zeros(len(ends.firsts), f"S{PORTS_WIDTH}")
    starts = np.flatnonzero(np.diff(hosts, prepend=-1))
    for start, host in zip(starts.tolist(), hosts[starts].tolist(), strict=True):
        number = int(counts[host])
        words[host] = _in_words(sockets[start : start + min(number, MOST_NAMED)].tolist(), number)
    return counts, words


def _in_words(sockets: list[int], number: int) -> str:
    """As many of the ports as there is room for, and how many more there are."""
    ports = [f"{socket & 0xFFFF}/{names.protocol(socket >> 16 & 0xFF).lower()}" for socket in sockets]
    for named in range(len(ports), 0, -1):
        more = [f"+{number - named}"] if named < number else []
        if len(text := " ".join((*ports[:named], *more))) <= PORTS_WIDTH:
            return text
    raise AssertionError("the name of a port fits the column")
