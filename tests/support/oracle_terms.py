"""The project's tables in the oracle's terms, so that the two can be compared with `==`."""

from collections import Counter

from fluxcap import DISPOSITIONS, VERDICTS, FlowTable, PacketTable
from oracle import Direction, FlowRow, Observation, key_fields

IN_A_FLOW = {"counted", "unknown_transport", "orphan_fragment"}
OBSERVED = ("packet", "time", "captured_length", "wire_length", "protocol", "src_port", "dst_port", "payload_length")
COUNTED = ("good", "bad", "partial", "absent", "illegal", "truncated", "fragment", "bad_length")


def observations(table: PacketTable) -> list[Observation]:
    """Every row as an observation; one that belongs to no flow has no addresses."""
    columns = {name: table[name].tolist() for name in (*OBSERVED, "tcp_flags", "verdict", "ip_verdict", "disposition")}
    seen = []
    for row in range(len(table)):
        in_a_flow = DISPOSITIONS[columns["disposition"][row]] in IN_A_FLOW
        seen.append(
            Observation(
                **{name: columns[name][row] for name in OBSERVED},
                src_ip=table["src_ip"][row].tobytes() if in_a_flow else b"",
                dst_ip=table["dst_ip"][row].tobytes() if in_a_flow else b"",
                verdict=VERDICTS[columns["verdict"][row]],
                ip_verdict=VERDICTS[columns["ip_verdict"][row]],
                tcp_flags=columns["tcp_flags"][row],
            )
        )
    return seen


def flow_rows(table: FlowTable) -> dict[tuple[int | bytes, ...], FlowRow]:
    """Rows by key, in the order of the table; records without a transport checksum are in no column of verdicts."""
    columns = {
        name: [value.tobytes() for value in array] if array.ndim == 2 else array.tolist()
        for name, array in table.to_dict().items()
    }
    names = [name for name, *_ in key_fields(table.metadata["by"])]
    rows = {}
    for row in range(len(table)):
        cell = {name: values[row] for name, values in columns.items()}
        forward, reverse = (
            Direction(*(cell.get(prefix + name, 0) for name in ("packets", "bytes", "payload_bytes", "tcp_flags")))
            for prefix in ("", "reverse_")
        )
        key = tuple(cell[name] for name in names)
        assert key not in rows, "a key has one row"
        verdicts = Counter({name: cell[name] for name in COUNTED if cell[name]})
        rows[key] = FlowRow(cell["first"], cell["last"], forward, reverse, verdicts, cell["ip_bad"])
    return rows


def without_none(rows: dict[tuple[int | bytes, ...], FlowRow]) -> list[tuple[tuple[int | bytes, ...], FlowRow]]:
    """The oracle's rows in order, as flow_rows() says them."""
    for row in rows.values():
        row.verdicts.pop("none", None)
    return list(rows.items())
