"""The rows of Zeek's conn.log: which fields it has, and what they are of a row of ours.

A field is unset where a row does not tell it: what Zeek would have written is not guessed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from fluxcap import _core
from fluxcap.errors import UnfitRowsError
from fluxcap.values import derived, names, text

if TYPE_CHECKING:
    from fluxcap.formats import Rows, Table
    from fluxcap.values.arrays import Array

# The name and type of each field: share/zeek/base/protocols/conn/main.zeek of Zeek 6.
FIELDS: Final = {
    "ts": "time",
    "uid": "string",
    "id.orig_h": "addr",
    "id.orig_p": "port",
    "id.resp_h": "addr",
    "id.resp_p": "port",
    "proto": "enum",
    "service": "string",
    "duration": "interval",
    "orig_bytes": "count",
    "resp_bytes": "count",
    "conn_state": "string",
    "local_orig": "bool",
    "local_resp": "bool",
    "missed_bytes": "count",
    "history": "string",
    "orig_pkts": "count",
    "orig_ip_bytes": "count",
    "resp_pkts": "count",
    "resp_ip_bytes": "count",
    "tunnel_parents": "set[string]",
}
BEHIND: Final = {derived.COMMUNITY_ID: "string"}  # what policy/protocols/conn/community-id-logging.zeek adds
COUNTS: Final = ("packets", "bytes", "payload_bytes")
OF_CONNECTIONS: Final = (
    *("state", "history", "gap_bytes", "reverse_gap_bytes", "retransmitted", "reverse_retransmitted", "bad", "illegal"),
)
NEEDED: Final = (*derived.ENDS, *derived.SPAN, *COUNTS, *(f"reverse_{name}" for name in COUNTS))

AT_ONCE: Final = 8192  # rows that are texts in memory at a time
PROTOCOLS: Final = {names.TCP: "tcp", names.UDP: "udp", names.ICMP: "icmp", names.ICMPV6: "icmp"}
UNKNOWN: Final = "unknown_transport"
NS, MICRO = 1000, 1_000_000
TRUE, FALSE = "T", "F"
# Of Site::private_address_space, what ipaddress does not call private: shared with a carrier (RFC 6598), and multicast
# within a network or an organisation (RFC 5771 section 4, RFC 2365).
MORE_LOCAL: Final = tuple(map(ipaddress.ip_network, ("100.64.0.0/10", "224.0.0.0/24", "239.0.0.0/8")))

UID_SEED: Final = 0
UID_LETTER: Final = "C"  # of a connection
UID_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
UID_HALF: Final = 8  # digits of base 62 that 64 bits surely fill

Cells = Sequence[str | None]  # None: unset
Columns = Mapping[str, Any]


def fields_of(rows: Rows) -> dict[str, str]:
    """The fields to write and their types. UnfitRowsError if columns or their names were chosen."""
    if rows.chosen or rows.names:
        raise UnfitRowsError("conn.log has its own fields under their own names: zeek-cut or jq chooses among them")
    return {**FIELDS, **{name: BEHIND[name] for name in BEHIND if name in rows.columns}}


def batches(tables: Iterable[Table], fields: Mapping[str, str]) -> Iterator[list[Cells]]:
    """The fields of some rows at a time, the texts of one field after the other."""
    for table in tables:
        columns = _columns(table, [name for name in BEHIND if name in fields])
        of_ip_packets = getattr(table, "metadata", {}).get("bytes") == "ip"
        for start in range(0, len(table), AT_ONCE):
            made = _texts({name: values[start : start + AT_ONCE] for name, values in columns.items()}, of_ip_packets)
            yield [made[name] for name in fields]


def _columns(table: Table, behind: Iterable[str]) -> dict[str, Any]:
    """The columns that fields are made of. UnfitRowsError for a table without them."""
    found = {name: table[name] for name in (*OF_CONNECTIONS, *behind) if name in table.columns}
    for name in NEEDED:
        try:
            found[name] = table[name]
        except KeyError:
            raise UnfitRowsError("conn.log is of connections, and of flows by 5tuple: these rows are others") from None
    return found


def _texts(part: Columns, of_ip_packets: bool) -> dict[str, Cells]:
    protocol, length = part["protocol"].tolist(), derived.make("duration", part, part.keys()).tolist()
    unset: Cells = [None] * len(protocol)
    ports = _ports(part)
    has_bytes = [ns > 0 for ns in length]  # in conn.log they go with the duration
    sides = ("orig", ""), ("resp", "reverse_")
    return {
        "ts": [_seconds(ns) if ns != _core.NO_TIME else None for ns in part["first"].tolist()],
        "uid": _uids(part),
        "id.orig_h": text.addresses(part["src_ip"]),
        "id.orig_p": _counts(ports[:, 0]),
        "id.resp_h": text.addresses(part["dst_ip"]),
        "id.resp_p": _counts(ports[:, 1]),
        "proto": [PROTOCOLS.get(one, UNKNOWN) for one in protocol],
        "service": unset,
        "duration": [_seconds(ns) if ns > 0 else None for ns in length],
        **{f"{side}_bytes": _payload(part, before, has_bytes) for side, before in sides},
        "conn_state": [_core.STATES[code] for code in part["state"].tolist()] if "state" in part else unset,
        "local_orig": _local(part["src_ip"]),
        "local_resp": _local(part["dst_ip"]),
        "missed_bytes": _counts(part["gap_bytes"] + part["reverse_gap_bytes"]) if "gap_bytes" in part else unset,
        "history": _letters(part["history"]) if "history" in part else unset,
        **{f"{side}_pkts": _counts(part[f"{before}packets"]) for side, before in sides},
        **{f"{side}_ip_bytes": _counts(part[f"{before}bytes"]) if of_ip_packets else unset for side, before in sides},
        "tunnel_parents": unset,
        **{name: _letters(part[name]) for name in BEHIND if name in part},
    }


def _seconds(ns: int) -> str:
    """With six digits behind the point; the rest is cut off."""
    sign, micro = ("-", -ns // NS) if ns < 0 else ("", ns // NS)
    return f"{sign}{micro // MICRO}.{micro % MICRO:06}"


def _counts(values: Array) -> Cells:
    return list(map(str, values.tolist()))


def _letters(values: Array) -> Cells:
    return [one.decode() or None for one in values.tolist()]


def _ports(part: Columns) -> Array:
    """(n, 2), 0 where Zeek has none: of ICMP the type, and the type that answers it or else the code."""
    import numpy as np

    ends = (part[name] for name in ("protocol", "src_port", "dst_port", derived.ICMP))
    ports = np.frombuffer(_core.icmp_ports(*map(np.ascontiguousarray, ends)), np.uint16).reshape(-1, 2)
    return np.where(np.isin(part["protocol"], list(PROTOCOLS))[:, None], ports, 0)


def _payload(part: Columns, before: str, has_bytes: Sequence[bool]) -> Cells:
    """The payload of one side as Zeek counts it: of TCP from sequence numbers, so once where it was sent twice, and
    also where it was not captured. Unset where our bytes do not tell that."""
    import numpy as np

    counted = part[f"{before}payload_bytes"]
    told = np.isin(part["protocol"], [number for number in PROTOCOLS if number != names.TCP])
    if "gap_bytes" in part:
        counted = counted + part[f"{before}gap_bytes"]
        told |= (part["protocol"] == names.TCP) & (part[f"{before}retransmitted"] + part["bad"] + part["illegal"] == 0)
    pairs = zip(_counts(counted), told.tolist(), has_bytes, strict=True)
    return [count if is_told and has else None for count, is_told, has in pairs]


def _local(addresses: Array) -> Cells:
    """Whether addresses are private, as Site::private_address_space has them."""
    import numpy as np

    codes, firsts = _core.distinct(np.ascontiguousarray(addresses))
    different = text.addresses(addresses[np.frombuffer(firsts, np.uint32)])
    told = np.array([TRUE if _is_local(one) else FALSE for one in map(ipaddress.ip_address, different)], "U1")
    cells: list[str | None] = told[np.frombuffer(codes, np.uint32)].tolist()
    return cells


def _is_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_private or any(address in network for network in MORE_LOCAL)


def _uids(part: Columns) -> Cells:
    """An identifier made of the ends and of the time of the first record: the same in every reading."""
    import numpy as np

    ids = derived.community_id(*(part[name] for name in derived.ENDS), seed=UID_SEED)
    words = np.ascontiguousarray(ids.view(np.uint8).reshape(len(ids), -1)[:, 2:18]).view("<u8")
    digits, half = [], part["first"].view(np.uint64)
    for word in (0, 1):
        half = _mixed(words[:, word] ^ half)
        digits += [
            half // np.uint64(len(UID_DIGITS) ** place) % np.uint64(len(UID_DIGITS)) for place in range(UID_HALF)
        ]
    known = np.frombuffer(UID_DIGITS.encode(), np.uint8)
    made = np.stack([known[digit.astype(np.intp)] for digit in digits], axis=1)
    return [f"{UID_LETTER}{one.decode()}" for one in made.view(f"S{2 * UID_HALF}").ravel().tolist()]


def _mixed(words: Array) -> Array:
    """64 bits, each of which depends on each: the last steps of SplitMix64."""
    words = (words ^ words >> 30) * 0xBF58476D1CE4E5B9
    words = (words ^ words >> 27) * 0x94D049BB133111EB
    mixed: Array = words ^ words >> 31
    return mixed
