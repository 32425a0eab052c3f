"""The activity of a flow, from a list of its packets: the definitions of docs/cicflowmeter.md in plain Python."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby
from typing import Any, NamedTuple

import dpkt
import numpy as np

import fluxcap

SECOND = 1_000_000_000
STATISTICS = ("min", "mean", "stddev", "max")
WAYS = {0: "", 1: "reverse_"}
ETHERNET = 1
UNPLAIN = -1  # a header that dpkt does not read


class Seen(NamedTuple):
    """A packet of a flow."""

    way: int  # 0: forward
    time: int
    payload: int
    header: int
    window: int
    is_tcp: bool
    flags: int


def spread(prefix: str, values: Sequence[float]) -> dict[str, float]:
    deviation = statistics.stdev(values) if len(values) > 1 else 0
    found = (min(values), statistics.fmean(values), deviation, max(values)) if values else (0, 0, 0, 0)
    return {f"{prefix}_{name}": value for name, value in zip(STATISTICS, found, strict=True)}


def clumps(packets: Sequence[Seen], silence: int) -> list[list[Seen]]:
    """The packets, divided wherever one comes more than `silence` after all before it."""
    latest = [fluxcap.NO_TIME, *accumulate((one.time for one in packets), max)]
    apart = [
        fluxcap.NO_TIME not in (one.time, before) and one.time - before > silence
        for one, before in zip(packets, latest, strict=False)
    ]
    return [
        [one for _, one in part] for _, part in groupby(zip(accumulate(apart), packets, strict=True), lambda x: x[0])
    ]


def length(packets: Iterable[Seen]) -> int:
    times = [one.time for one in packets if one.time != fluxcap.NO_TIME]
    return max(times) - times[0] if times else 0


def activity(packets: Sequence[Seen]) -> dict[str, float]:
    """The columns of a flow of these packets."""
    timed = [one for one in packets if one.time != fluxcap.NO_TIME]
    with_data = [one for one in packets if one.payload]
    runs = [list(run) for _, run in groupby(with_data, lambda one: one.way)]
    bulks = [clump for run in runs for clump in clumps(run, SECOND) if len(clump) >= 4]
    periods = clumps(timed, 5 * SECOND)
    latest = [max(one.time for one in period) for period in periods]
    found = {
        "subflows": max(1, len(clumps(timed, SECOND))),
        **spread("active", [spell for spell in map(length, periods) if spell > 0]),
        **spread("idle", [after[0].time - before for before, after in zip(latest, periods[1:], strict=False)]),
        **spread("both_payload", [one.payload for one in packets]),
    }
    for way, prefix in WAYS.items():
        own = [one for one in packets if one.way == way]
        headers = [one.header for one in own if one.header]
        times = [one.time for one in timed if one.way == way]
        mine = [bulk for bulk in bulks if bulk[0].way == way]
        found |= spread(f"{prefix}payload", [one.payload for one in own]) | {
            f"{prefix}data_packets": sum(one.payload > 0 for one in own),
            f"{prefix}header_bytes": sum(headers),
            f"{prefix}header_min": min(headers, default=0),
            f"{prefix}first_window": next((one.window for one in own if one.is_tcp and one.header), -1),
            f"{prefix or 'forward_'}first": min(times, default=fluxcap.NO_TIME),
            f"{prefix or 'forward_'}last": max(times, default=fluxcap.NO_TIME),
            f"{prefix}bulks": len(mine),
            f"{prefix}bulk_packets": sum(map(len, mine)),
            f"{prefix}bulk_bytes": sum(one.payload for bulk in mine for one in bulk),
            f"{prefix}bulk_time": sum(map(length, mine)),
        }
    return found


def header_of(frame: bytes) -> int:
    """The length of the transport header of a plain Ethernet frame, by dpkt."""
    try:
        segment = getattr(dpkt.ethernet.Ethernet(frame).data, "data", None)
    except (dpkt.Error, ValueError, IndexError):
        return UNPLAIN
    if isinstance(segment, dpkt.tcp.TCP):
        return segment.off * 4
    return 8 if isinstance(segment, dpkt.udp.UDP) else UNPLAIN


def flows_with_packets(data: bytes, **options: Any) -> tuple[fluxcap.FlowTable, dict[int, list[Seen]]]:
    """The flows of a capture with their activity, and the packets by row: of all flows that have a packet of either way
    told by its ends, and headers that dpkt reads."""
    flows, packets = fluxcap.read_flows(data, packets=True, **{"activity": True, **options})
    if not len(flows):
        return flows, {}
    forward = (packets["src_ip"] == flows["src_ip"][packets["flow"]]).all(axis=1)
    forward &= packets["src_port"] == flows["src_port"][packets["flow"]]
    starts, lengths = packets["offset"].tolist(), packets["captured_length"].tolist()
    plain = (packets["depth"] == 0) & (packets["link_type"] == ETHERNET) & (packets["fragment_offset"] == 0)
    headers = [
        header_of(data[at : at + octets]) if is_plain else UNPLAIN
        for at, octets, is_plain in zip(starts, lengths, plain.tolist(), strict=True)
    ]
    seen = zip(
        (~forward).astype(int).tolist(),
        packets["time"].tolist(),
        packets["payload_length"].tolist(),
        headers,
        packets["tcp_window"].tolist(),
        (packets["protocol"] == 6).tolist(),
        packets["tcp_flags"].tolist(),
        strict=True,
    )
    of_rows: dict[int, list[Seen]] = {row: [] for row in range(len(flows))}
    for row, one in zip(packets["flow"].tolist(), map(Seen._make, seen), strict=True):
        if row >= 0:
            of_rows[row].append(one)
    told = np.bincount(packets["flow"][forward & (packets["flow"] >= 0)], minlength=len(flows)) == flows["packets"]
    compared = {row: own for row, own in of_rows.items() if told[row] and all(one.header != UNPLAIN for one in own)}
    return flows, compared
