"""The numbers behind the charts: columns of bounded length, of names and integers, each summed from a table.

A row without a time is left out of a picture over time, and a protocol without ports out of one by port.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fluxcap._core import NO_TIME, VERDICTS
from fluxcap.formats.table.outcomes import OF_TCP
from fluxcap.formats.table.outcomes import outcomes as in_words
from fluxcap.sockets.ends import distinct_rows, pairs
from fluxcap.sockets.table import attempts
from fluxcap.values import human, names, text
from fluxcap.values.arrays import medians
from fluxcap.values.names import PROTOCOLS_WITH_PORTS, TCP, UDP

if TYPE_CHECKING:
    from fluxcap.sockets.hosts import HostTable
    from fluxcap.tables.connections import ConnectionTable
    from fluxcap.tables.packets import PacketTable
    from fluxcap.tables.timeline.table import TimelineTable
    from fluxcap.values.arrays import Array

Numbers = dict[str, list[Any]]  # columns of equal length

LISTED: Final = 15  # hosts, conversations, connections, sockets: as many bars as a chart shows
FAILING: Final = 10  # of these, sockets that did not answer
PROTOCOLS_SHOWN: Final = 5  # by name; the others are summed
OTHER: Final = "other"
REFUSED: Final = OF_TCP["REJ"]  # by a reset, or by an ICMP error that says so
MOST_INTERVALS: Final = 2000  # no chart is wider, in pixels
CURVE_POINTS: Final = 100
LENGTH_BITS: Final = 32  # of the length of a packet
STEPS_A_DECADE: Final = 4  # of a histogram of times
FLOW: Final = "flow"  # the number of a connection behind a row, of several the first one
NAMED: Final = ("good", "partial", "bad")
OTHERS: Final = tuple(name for name in VERDICTS if name not in ("none", *NAMED))
BAD_HEADER: Final = "bad IPv4 header"
NOT_IP: Final = "not IP"


def throughput(timeline: TimelineTable) -> Numbers:
    """Packets and bytes of each interval, and its bytes by protocol, the protocol of most bytes first."""
    starts, slots, rows = _intervals(timeline, "protocol")
    octets, packets = timeline["bytes"][rows], timeline["packets"][rows]
    protocols = timeline["protocol"][rows].astype(np.intp)
    most = _largest(_summed(protocols, octets, 256), 256).tolist()
    n = len(starts)
    columns = {"packets": _summed(slots, packets, n), "bytes": _summed(slots, octets, n)}
    for code in most[:PROTOCOLS_SHOWN]:
        mine = protocols == code
        columns[names.protocol(code) if code else NOT_IP] = _summed(slots[mine], octets[mine], n)
    if others := most[PROTOCOLS_SHOWN:]:
        mine = np.isin(protocols, others)
        columns[OTHER] = _summed(slots[mine], octets[mine], n)
    return {"start": starts, **_lists(columns)}


def verdicts(timeline: TimelineTable) -> Numbers:
    """The checksums of each interval by verdict: those of the transport, and bad ones of the IPv4 header."""
    starts, slots, rows = _intervals(timeline, "verdict")
    packets, codes, n = timeline["packets"][rows], timeline["verdict"][rows], len(starts)
    counted = {kind: _summed(slots[mine := codes == VERDICTS.index(kind)], packets[mine], n) for kind in NAMED}
    in_headers = _summed(slots, timeline["ip_bad"][rows], n)
    others = np.isin(codes, [VERDICTS.index(name) for name in OTHERS])
    counted |= {BAD_HEADER: in_headers, OTHER: _summed(slots[others], packets[others], n)}
    return {"start": starts, **_lists(counted)}


def hosts(table: HostTable, connections: ConnectionTable | None = None) -> Numbers:
    """The hosts of most bytes; with the connections that they are of also the first one of each."""
    rows = _largest(table["bytes"])
    counts = {name: table[name][rows] for name in ("sent_bytes", "received_bytes", "packets", "peers")}
    ports = text.cells("ports", table["ports"][rows])
    found = {"address": text.addresses(table["address"][rows]), **_lists(counts), "ports": ports}
    return found if connections is None else found | {FLOW: _first_of_hosts(table["address"][rows], connections)}


def conversations(connections: ConnectionTable) -> Numbers:
    """The pairs of addresses that exchanged most bytes."""
    both = pairs((connections["src_ip"], connections["dst_ip"]))
    codes, firsts = distinct_rows(both)
    ends = np.sort(codes.reshape(-1, 2).astype(np.uint64), axis=1)
    rows, totals = _grouped(ends[:, 0] << 32 | ends[:, 1], _volume(connections))
    most = _largest(totals["bytes"])
    here, there = (text.addresses(both[firsts[ends[rows[most], side].astype(np.intp)]]) for side in (0, 1))
    return {"address": here, "with": there, **_lists(totals, most), FLOW: _flows(connections, rows[most])}


def ports(connections: ConnectionTable) -> Numbers:
    """Who talked to which port: what passed between clients and ports, those first between which most bytes did."""
    c = connections.filter(np.isin(connections["protocol"], PROTOCOLS_WITH_PORTS))
    clients, _ = distinct_rows(c["src_ip"])
    services = c["protocol"].astype(np.uint64) << 16 | c["dst_port"].astype(np.uint64)
    rows, totals = _grouped(clients.astype(np.uint64) << 24 | services, _volume(c))
    most = _largest(totals["bytes"], len(rows))
    for axis in (clients, services):
        ranked = axis[rows[most]]
        first = np.sort(np.unique(ranked, return_index=True)[1])[:LISTED]
        most = most[np.isin(ranked, ranked[first])]
    places = rows[most]
    named = [f"{code & 0xFFFF}/{names.protocol(code >> 16).lower()}" for code in services[places].tolist()]
    addresses = text.addresses(c["src_ip"][places])
    return {"client": addresses, "port": named, **_lists(totals, most), FLOW: _flows(c, places)}


def outcomes(connections: ConnectionTable) -> Numbers:
    """What became of the connections of each protocol, in words."""
    _, refused, _ = attempts(connections)
    protocols = connections["protocol"].astype(np.intp)
    codes = protocols << 9 | refused.astype(np.intp) << 8 | connections["state"]
    counts = np.bincount(codes, minlength=1)
    first = np.zeros(len(counts), np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]  # of several the first one stays
    there = _largest(counts, len(counts))
    states, of = (there & 0xFF).astype(np.uint8), (there >> 9).tolist()
    refusals = (there >> 8 & 1).tolist()
    words = zip(in_words(states, of), refusals, strict=True)
    return {
        "protocol": [names.protocol(code) for code in of],
        "state": text.cells("state", states),
        "outcome": [REFUSED if is_refused else word or OTHER for word, is_refused in words],
        "connections": counts[there].tolist(),
        FLOW: _flows(connections, first[there]),
    }


def handshakes(connections: ConnectionTable) -> Numbers:
    """How many TCP handshakes took how long: to the answer of the server, and from there to that of the client."""
    return _spans({"server": connections["synack_rtt"], "client": connections["ack_rtt"]})


def responses(connections: ConnectionTable) -> Numbers:
    """How many connections of TCP and UDP waited how long for the answer to their first request."""
    protocols, times = connections["protocol"], connections["response_time"]
    return _spans({names.protocol(code): times[protocols == code] for code in (TCP, UDP)})


def waits(connections: ConnectionTable) -> Numbers:
    """The sockets whose clients waited longest: the medians of handshake and response, and the longest response."""
    measured = np.isin(connections["protocol"], (TCP, UDP)) & (connections["response_time"] >= 0)
    c = connections.filter(measured)
    kinds, rows = distinct_rows(_services(c).view(np.uint8).reshape(len(c), 8))
    n = len(rows)
    handshakes, answers = c["synack_rtt"], c["response_time"]
    known = handshakes >= 0
    handshake = np.maximum(medians(handshakes[known], kinds[known], n), 0)  # none of UDP
    response = medians(answers, kinds, n)
    counts = np.bincount(kinds, minlength=n)
    longest = np.lexsort((-answers, kinds))[np.cumsum(counts) - counts]
    most = _largest(handshake + response)
    protocols = [names.protocol(code) for code in c["protocol"][rows[most]].tolist()]
    times = {"handshake_ns": handshake, "response_ns": response, "longest_ns": answers[longest]}
    counted = {"connections": counts, **times}
    sockets = _sockets(c, rows[most], "dst")
    return {"protocol": protocols, "socket": sockets, **_lists(counted, most), FLOW: _flows(c, longest[most])}


def losses(connections: ConnectionTable) -> Numbers:
    """The connections with most retransmissions and closed windows, both directions together."""
    c = connections
    counted = {name: _both(c, name) for name in ("packets", "retransmitted", "out_of_order", "zero_window")}
    rows = _largest(np.sum([counted[name] for name in list(counted)[1:]], axis=0))
    protocols = [names.protocol(code) for code in c["protocol"][rows].tolist()]
    ends = {end: _sockets(c, rows, side) for end, side in (("client", "src"), ("server", "dst"))}
    return {"protocol": protocols, **ends, **_lists(counted, rows), FLOW: _flows(c, rows)}


def lengths(packets: PacketTable) -> Numbers:
    """How many packets are of which length on the wire, by powers of two."""
    return spans_of(lengths_of(packets))


def lengths_of(packets: PacketTable) -> Array:
    """How many packets have a length of so many bits: 64 to 127 bytes are seven."""
    return np.bincount(lengths_in_bits(packets), minlength=LENGTH_BITS + 1)


def lengths_in_bits(packets: PacketTable) -> Array:
    """How many bits the length of each packet has: 7 for 64 to 127 bytes."""
    bits: Array = np.frexp(packets["wire_length"])[1]
    return bits


def spans_of(counts: Array) -> Numbers:
    """The lengths of each number of bits, from the least to the most that a packet has, with how many there are."""
    there = np.flatnonzero(counts).tolist()
    bits = range(there[0], there[-1] + 1) if there else range(0)
    return {
        "from": [1 << n >> 1 for n in bits],
        "to": [(1 << n) - 1 for n in bits],
        "packets": [int(counts[n]) for n in bits],
    }


def flow_sizes(connections: ConnectionTable) -> Numbers:
    """How many connections have at least so many bytes, at some sizes."""
    sizes = np.sort(_both(connections, "bytes"))
    n = len(sizes)
    # Places at equal ratios from the largest, which decides on the tail.
    places = n - np.unique(np.geomspace(1, n, CURVE_POINTS).astype(np.intp)) if n else np.zeros(0, np.intp)
    points = np.unique(sizes[places])
    return {"bytes": points.tolist(), "connections": (n - np.searchsorted(sizes, points)).tolist()}


def servers(connections: ConnectionTable) -> Numbers:
    """The sockets that others began connections with, and how often they answered, refused, or did neither; of a
    connection that began before the capture only one side may be seen, which tells nothing."""
    c = connections.filter(np.isin(connections["protocol"], PROTOCOLS_WITH_PORTS))
    answered, refused, unanswered = attempts(c)
    answered = answered & ~refused & ~unanswered
    kinds = {"answered": answered, "refused": refused, "unanswered": unanswered}
    keys = _services(c)
    rows, totals = _grouped(keys, kinds | {"midstream": ~(answered | refused | unanswered)})
    failing = _largest(totals["refused"] + totals["unanswered"], FAILING).tolist()
    most = np.array([*failing, *_largest(totals["answered"] + totals["midstream"]).tolist()], np.intp)
    most = most[np.sort(np.unique(most, return_index=True)[1])][:LISTED]
    protocols = [names.protocol(code) for code in c["protocol"][rows[most]].tolist()]
    sockets = _sockets(c, rows[most], "dst")
    # The connection that shows it: one that failed, where one did.
    failed = _leading(keys, refused | unanswered)
    found: Numbers = {"protocol": protocols, "socket": sockets}
    if "server_name" in c.columns:
        named = _leading(keys, c["server_name_basis"] > 0)
        found["server_name"] = text.cells("server_name", c["server_name"][named[most]])
    return {**found, **_lists(totals, most), FLOW: _flows(c, failed[most])}


def _intervals(timeline: TimelineTable, by: str) -> tuple[list[int], Array, Array]:
    """The starts of all intervals from the first to the last, the interval of each row, and which rows count."""
    if timeline.metadata.get("group") != by:
        raise ValueError(f"this picture is of a timeline by {by}, as in read_timeline(src, '1s', by={by!r})")
    step = timeline.metadata["interval"]
    times = timeline["time"]
    rows = np.flatnonzero(times != NO_TIME)
    if not len(rows):
        return [], rows, rows
    first, last = int(times[rows].min()), int(times[rows].max())
    n = (last - first) // step + 1
    if n > MOST_INTERVALS:
        raise ValueError(f"{human.count(n)} intervals are more than a picture shows; take longer ones")
    return [first + i * step for i in range(n)], ((times[rows] - first) // step).astype(np.intp), rows


def _spans(times: Mapping[str, Array]) -> Numbers:
    """How many times of each kind are how long, in spans that grow by equal ratios. Unknown ones do not count."""
    known = {kind: values[values > 0] for kind, values in times.items()}
    both = np.concatenate(list(known.values()))
    if not len(both):
        return {"from_ns": [], "to_ns": [], **{kind: [] for kind in known}}
    low = int(np.floor(np.log10(both.min()) * STEPS_A_DECADE))
    high = int(np.floor(np.log10(both.max()) * STEPS_A_DECADE)) + 1
    edges = np.unique(np.round(10 ** (np.arange(low, high + 1) / STEPS_A_DECADE)).astype(np.int64))
    edges[0], edges[-1] = min(edges[0], both.min()), max(edges[-1], both.max() + 1)
    counted = {kind: np.histogram(values, edges)[0].tolist() for kind, values in known.items()}
    return {"from_ns": edges[:-1].tolist(), "to_ns": edges[1:].tolist(), **counted}


def _services(c: ConnectionTable) -> Array:
    """The socket that each connection was begun with, as a number."""
    hosts, _ = distinct_rows(c["dst_ip"])
    keys: Array = (
        hosts.astype(np.uint64) << 24 | c["protocol"].astype(np.uint64) << 16 | c["dst_port"].astype(np.uint64)
    )
    return keys


def _leading(keys: Array, preferred: Array) -> Array:
    """The first row of each key among those preferred, or among all where none is."""
    n = len(keys)
    kinds, firsts = distinct_rows(keys.view(np.uint8).reshape(n, 8))
    leading = np.full(len(firsts), 2 * n, np.intp)
    np.minimum.at(leading, kinds, np.arange(n) + np.where(preferred, 0, n))
    found: Array = leading % max(n, 1)
    return found


def _flows(connections: ConnectionTable, rows: Array) -> list[int]:
    numbers: list[int] = connections[FLOW][rows].tolist()
    return numbers


def _first_of_hosts(addresses: Array, connections: ConnectionTable) -> list[int]:
    """The first connection of each address, which has one."""
    sides = [connections[name].view(np.uint64) for name in ("src_ip", "dst_ip")]
    wanted = np.ascontiguousarray(addresses).view(np.uint64)
    mine = [np.any([(side == one).all(axis=1) for side in sides], axis=0) for one in wanted]
    return _flows(connections, np.array([np.argmax(one) for one in mine], np.intp))


def _both(table: ConnectionTable, name: str, rows: Any = ...) -> Array:
    """A count of both directions together."""
    total: Array = table[name][rows] + table[f"reverse_{name}"][rows]
    return total


def _volume(connections: ConnectionTable) -> dict[str, Array]:
    ones = np.ones(len(connections), np.uint64)
    return {"connections": ones, "packets": _both(connections, "packets"), "bytes": _both(connections, "bytes")}


def _summed(places: Array, values: Array, n: int) -> Array:
    total = np.zeros(n, np.uint64)
    np.add.at(total, places, values.astype(np.uint64, copy=False))
    return total


def _grouped(keys: Array, values: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
    """The first row of each key, and the values summed by key."""
    kinds, firsts = distinct_rows(keys.view(np.uint8).reshape(len(keys), 8))
    return firsts, {name: _summed(kinds, each, len(firsts)) for name, each in values.items()}


def _largest(values: Array, n: int = LISTED) -> Array:
    """The rows of the largest values, zeros left out; equal ones in their order."""
    order = np.argsort(-values.astype(np.int64), kind="stable")[:n]
    rows: Array = order[values[order] > 0]
    return rows


def _lists(columns: Mapping[str, Array], rows: Any = ...) -> Numbers:
    return {name: values[rows].tolist() for name, values in columns.items()}


def _sockets(table: ConnectionTable, rows: Array, side: str) -> list[str]:
    addresses = text.addresses(table[f"{side}_ip"][rows])
    return list(map(text.socket, addresses, table[f"{side}_port"][rows].tolist()))
