"""Connections of a model of TCP: streams and counters equal what the model sent, as far as it was captured.

FLUXCAP_CONNECTIONS=100000 makes so many (some minutes, less with -n); else it is 1,200.
"""

from __future__ import annotations

import os
from random import Random

import pytest

import fluxcap
from capture_files import pcap, records
from delivered_directory import Delivery, demuxed
from tcp_model import Model, connection, connections, in_turn, one_after_another, with_strays
from tcp_situations import Sent

CONNECTIONS = int(os.environ.get("FLUXCAP_CONNECTIONS", "1200"))
AT_ONCE = 200  # cases in one capture
OF_A_RUN = (1 + 2 + 3) * AT_ONCE  # connections, by all makers
LINK_RAW = 101
SERVER = bytes((10, 255, 255, 255))
FLAGS = {"F": 1, "S": 2, "R": 4, "A": 16}
COUNTERS = ("retransmitted", "out_of_order", "keep_alives")


def packet(client: bytes, segment: Sent, data: bytes) -> bytes:
    """A segment over IPv4 without a link header, its checksums left to the card."""
    ends = (client, SERVER) if segment.way == 0 else (SERVER, client)
    ports = (40000, 9999) if segment.way == 0 else (9999, 40000)
    total = 40 + len(data)
    pseudo = sum(int.from_bytes(ip[at : at + 2], "big") for ip in ends for at in (0, 2)) + 6 + 20 + len(data)
    head = b"\x45\0" + total.to_bytes(2, "big") + b"\0\0\0\0\x40\x06\0\0" + ends[0] + ends[1]
    flags = sum(FLAGS[letter] for letter in segment.flags)
    return (
        head + ports[0].to_bytes(2, "big") + ports[1].to_bytes(2, "big") + segment.seq.to_bytes(4, "big")
        + segment.ack.to_bytes(4, "big") + bytes((0x50, flags)) + b"\x20\0"
        + (pseudo % 0xFFFF or 0xFFFF).to_bytes(2, "big") + b"\0\0" + data
    )  # fmt: skip


def octets(models: list[Model], segment: Sent) -> bytes:
    """The data of a segment: that of the connection in whose numbers it lies, else any bytes."""
    for model in models:
        side = model.sides[segment.way]
        start = (segment.seq - side.isn) % (1 << 32) - 1
        if start >= 0 and start + segment.length <= len(side.data):
            return side.data[start : start + segment.length]
    return b"?" * segment.length


def captured(cases: list[tuple[list[Model], list[Sent]]]) -> bytes:
    """All connections in one capture, side by side, each with a client of its own."""
    frames = []
    for number, (models, sent) in enumerate(cases):
        client = bytes((10, 0, number >> 8, number & 255))
        frames += [(at, number, packet(client, one, octets(models, one))) for at, one in enumerate(sent)]
    return pcap(records(frame for _, _, frame in sorted(frames)), LINK_RAW)


def check(cases: list[tuple[list[Model], list[Sent]]], folder) -> None:
    capture = captured(cases)
    table = fluxcap.read_connections(capture)
    delivery = demuxed(capture, folder)
    rows: dict[int, list[int]] = {}
    for row, ip in enumerate(table["src_ip"].tolist()):
        assert ip[12:14] == [10, 0], "the originator is the client"
        rows.setdefault(ip[14] << 8 | ip[15], []).append(row)
    streams: dict[int, list] = {}
    for stream in delivery.streams:
        client = stream["src_ip"] if stream["src_port"] == 40000 else stream["dst_ip"]
        _, _, high, low = map(int, client.split("."))
        streams.setdefault(high << 8 | low, []).append(stream)
    for number, (models, _) in enumerate(cases):
        found = [told(table, row) for row in rows[number]]
        assert sorted(found) == sorted(counted(model) for model in models), number
        assert sorted(streamed(delivery, streams[number])) == sorted(
            (side.delivered(), side.gaps()) for model in models for side in model.sides
        ), number


def told(table: fluxcap.ConnectionTable, row: int) -> tuple:
    """The counters of a connection by its row."""
    counters = [int(table[f"{way}{name}"][row]) for way in ("", "reverse_") for name in (*COUNTERS, "gap_bytes")]
    return fluxcap.STATES[table["state"][row]], *counters


def counted(model: Model) -> tuple:
    """The counters of a connection by the model."""
    sides = [[*(getattr(side, name) for name in COUNTERS), side.missing()] for side in model.sides]
    return model.state, *sides[0], *sides[1]


def streamed(delivery: Delivery, streams: list) -> list:
    return [(stream["data"], delivery.gaps_of(stream)) for stream in streams]


def with_stray(draw: Random) -> tuple[list[Model], list[Sent]]:
    model = connection(draw)
    return [model], with_strays(draw, model)


def twice(draw: Random) -> tuple[list[Model], list[Sent]]:
    models = connections(draw, 2)
    return models, in_turn(draw, models)


def again(draw: Random) -> tuple[list[Model], list[Sent]]:
    models = connections(draw, 3)
    return models, one_after_another(draw, models)


MAKERS = {"one, with stray segments": with_stray, "two at once": twice, "one after another": again}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("run", range(-(-CONNECTIONS // OF_A_RUN)))
def test_streams_and_counters_are_those_of_the_model(make, run: int, tmp_path) -> None:
    draw = Random(run)
    check([make(draw) for _ in range(AT_ONCE)], tmp_path / "d")
