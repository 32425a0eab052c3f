"""The columns of CICFlowMeter of a flow, from a list of its packets, in plain Python."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise
from math import nan

from activity_of_packets import SECOND, Seen, activity

MICROSECOND = 1_000
FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")  # by bit


def four(prefix: str, values: Sequence[float]) -> dict[str, float]:
    return {
        f"{prefix} Max": max(values, default=0),
        f"{prefix} Min": min(values, default=0),
        f"{prefix} Mean": statistics.fmean(values) if values else 0,
        f"{prefix} Std": statistics.stdev(values) if len(values) > 1 else 0,
    }


def gaps(packets: Sequence[Seen]) -> list[float]:
    return [(after.time - before.time) / MICROSECOND for before, after in pairwise(packets)]


def numbers(packets: Sequence[Seen]) -> dict[str, float]:
    """All columns that are numbers, of packets with times that go forward."""
    ways = {"Fwd": [one for one in packets if one.way == 0], "Bwd": [one for one in packets if one.way == 1]}
    ours, lengths = activity(packets), [one.payload for one in packets]
    seconds = (packets[-1].time - packets[0].time) / SECOND
    found: dict[str, float] = {
        "Flow Duration": seconds * 1e6,
        "Flow Bytes/s": sum(lengths) / seconds if seconds else nan,
        "Flow Packets/s": len(packets) / seconds if seconds else nan,
        "Total Fwd Packet": len(ways["Fwd"]),
        "Total Bwd packets": len(ways["Bwd"]),
        "Down/Up Ratio": len(ways["Bwd"]) / len(ways["Fwd"]) if ways["Fwd"] else nan,
        "Average Packet Size": sum(lengths) / len(packets),
        "Packet Length Variance": statistics.variance(lengths) if len(lengths) > 1 else 0,
        "Fwd Act Data Pkts": sum(one.payload > 0 for one in ways["Fwd"]),
        "Fwd Seg Size Min": min((one.header for one in ways["Fwd"] if one.header), default=0),
        "FWD Init Win Bytes": ours["first_window"],
        "Bwd Init Win Bytes": ours["reverse_first_window"],
        **four("Packet Length", lengths),
        **four("Flow IAT", gaps(packets)),
        **{f"{flag} Flag Count": sum(one.flags >> bit & 1 for one in packets) for bit, flag in enumerate(FLAGS)},
    }
    for kind in ("active", "idle"):
        for theirs, name in (("Max", "max"), ("Min", "min"), ("Mean", "mean"), ("Std", "stddev")):
            found[f"{kind.title()} {theirs}"] = ours[f"{kind}_{name}"] / MICROSECOND
    for way, own in ways.items():
        prefix, payload = ("" if way == "Fwd" else "reverse_"), [one.payload for one in own]
        bulks, octets, time = (ours[f"{prefix}{name}"] for name in ("bulks", "bulk_bytes", "bulk_time"))
        found |= four(f"{way} Packet Length", payload) | four(f"{way} IAT", gaps(own))
        found |= {
            f"{way} IAT Total": sum(gaps(own)),
            f"{way} PSH Flags": sum(one.flags >> 3 & 1 for one in own),
            f"{way} URG Flags": sum(one.flags >> 5 & 1 for one in own),
            f"{way} Header Length": sum(one.header for one in own),
            f"{way} Packets/s": len(own) / seconds if seconds else nan,
            f"{way} Segment Size Avg": statistics.fmean(payload) if own else 0,
            f"Total Length of {way} Packet": sum(payload),
            f"{way} Bytes/Bulk Avg": octets / bulks if bulks else 0,
            f"{way} Packet/Bulk Avg": ours[f"{prefix}bulk_packets"] / bulks if bulks else 0,
            f"{way} Bulk Rate Avg": (octets / time * SECOND if time else nan) if bulks else 0,
            f"Subflow {way} Packets": len(own) / ours["subflows"],
            f"Subflow {way} Bytes": sum(payload) / ours["subflows"],
        }
    return found
