"""The lane, which takes most packets past the walk, gives what the walk gives."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as b
import last_bytes
from capture_files import Record, pcap, records, rewrapped
from core_driver import ALL_COLUMNS, FIVE_TUPLE, key
from fluxcap._core import VERDICTS
from fluxcap.capture.filters import compiler
from packet_cases import PLAIN
from real_captures import CORPUS, index, needs_corpus
from strategies import (
    byte_orders,
    dialogue_frames,
    fragment_frames,
    icmp_errors,
    odd_frames,
    record_lists,
    simple_frames,
    tunnelled_frames,
)
from whole_readings import LONG, ONE, again, read

PORTS = ({53, 80, 1024}, set(range(0, 65536, 3)))  # of TCP and of UDP: likely servers
CONNECTIONS = key(*FIVE_TUPLE, server_ports=PORTS, connections=True, features=True, splt=3)
BAD = 1 << VERDICTS.index("bad")


def both(monkeypatch: pytest.MonkeyPatch, capture: bytes, sizes: list[int], threads: Any = ONE, **options: Any) -> None:
    """Assert that everything a scanner says of a capture is the same with the lane and without it."""
    monkeypatch.delenv("FLUXCAP_LANE", raising=False)
    by_lane = read(capture, sizes, threads, **options)
    monkeypatch.setenv("FLUXCAP_LANE", "0")
    assert by_lane == read(capture, sizes, ONE, **options)


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield monkeypatch


def tagged(packet: bytes, tags: int) -> bytes:
    for tag in range(tags):
        packet = b.vlan(packet, 7 + tag)
    return bytes(b.ethernet(packet))


V6 = ("2001:db8::1", "2001:db8::2")
FRAMES = {
    "udp": bytes(b.ethernet(b.ipv4(b.udp(b"question", 40000, 53)))),
    "udp without a checksum": bytes(b.ethernet(b.ipv4(b.udp(b"question", 40000, 53, checksum=0)))),
    "udp left to a card": bytes(b.ethernet(b.ipv4(b.udp(b"question", 40000, 53, checksum="partial")))),
    "udp with a trailer": bytes(b.ethernet(b.ipv4(b.udp(b"?", 40000, 53)))) + bytes(17),
    "udp to the port of a tunnel": bytes(b.ethernet(b.ipv4(b.udp(b"question", 40000, b.VXLAN_PORT)))),
    "tcp": bytes(b.ethernet(b.ipv4(b.tcp(b"GET /", 40001, 80, seq=1000, ack=77, flags=b.ACK | b.PSH)))),
    "tcp without data": bytes(b.ethernet(b.ipv4(b.tcp(b"", 40001, 80, flags=b.SYN)))),
    "udp over ipv6": bytes(b.ethernet(b.ipv6(b.udp(b"question", 40000, 53), *V6))),
    "udp over ipv6 without a checksum": bytes(b.ethernet(b.ipv6(b.udp(b"question", 40000, 53, checksum=0), *V6))),
    "tcp over ipv6": bytes(b.ethernet(b.ipv6(b.tcp(b"GET /", 40001, 80, flags=b.ACK), *V6))),
    "one tag": tagged(b.ipv4(b.udp(b"question", 40000, 53)), 1),
    "two tags": tagged(b.ipv6(b.tcp(b"GET /", 40001, 80, flags=b.ACK), *V6), 2),
    "three tags": tagged(b.ipv4(b.udp(b"question", 40000, 53)), 3),
}
HEADERS = 90  # bytes of a frame that hold its headers, and at least its first byte of payload


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_with_any_byte_changed_is_read_as_by_the_walk(patch: pytest.MonkeyPatch, name: str) -> None:
    frame = FRAMES[name]
    changed = [frame]
    for at in range(min(len(frame), HEADERS)):
        # Every value of a byte, beside the right one so that the lane takes a part of each batch.
        changed += [frame[:at] + bytes([value]) + frame[at + 1 :] for value in range(256)]
        changed += [frame]
    both(patch, pcap(records(changed)), [1 << 18], key=CONNECTIONS)


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_cut_anywhere_is_read_as_by_the_walk(patch: pytest.MonkeyPatch, name: str) -> None:
    frame = FRAMES[name]
    cut = [Record(frame[:last], 1000, wire) for last in range(len(frame) + 1) for wire in (0, len(frame))]
    both(patch, pcap(cut), [1 << 18], key=CONNECTIONS)


@pytest.mark.parametrize("lane", ["1", "0"], ids=["by the lane", "by the walk"])
def test_no_frame_is_read_past_its_last_byte_wherever_it_is_cut(lane: str) -> None:
    cases = [(b.LINK_ETHERNET, frame) for frame in FRAMES.values()]
    cases += [(case.link_type, bytes(case.octets)) for case in PLAIN.values()]
    command, env = [sys.executable, last_bytes.__file__], {**os.environ, "FLUXCAP_LANE": lane}
    done = subprocess.run(command, input=pickle.dumps(cases), env=env, capture_output=True)
    assert done.returncode == 0, done.stderr.splitlines()[-1]
    assert int(done.stdout) == sum(len(frame) + 1 for _, frame in cases) * len(last_bytes.WAYS)


@pytest.mark.parametrize("snaplen", [0, 40, 60, 262144])
@pytest.mark.parametrize("link_type", [b.LINK_ETHERNET, b.LINK_ETHERNET | 1 << 26 | 2 << 28, b.LINK_RAW])
def test_link_types_frame_check_sequences_and_snap_lengths_are_seen_by_the_lane(
    patch: pytest.MonkeyPatch, link_type: int, snaplen: int
) -> None:
    both(patch, pcap(records([*FRAMES.values()] * 4), link_type, snaplen=snaplen), [1 << 18], key=CONNECTIONS)


@pytest.mark.parametrize(
    "options",
    [
        {"key": None},
        {"key": key(*FIVE_TUPLE, "vlan")},
        {"key": key(*FIVE_TUPLE, biflow=False)},
        {"key": key(*FIVE_TUPLE, interval=2_000_000)},
        {"key": key("protocol", "src_ip/24/64", "src_port", "dst_ip/24/64", "dst_port")},
        {"key": key("protocol", "src_ip/24/96", "src_port", "dst_ip/24/64", "dst_port")},
        {"key": key("src_ip", "dst_ip")},
        {"key": key(*FIVE_TUPLE, ip_octets=True)},
        {"key": key(*FIVE_TUPLE, max_flows=3)},
        {"key": key(*FIVE_TUPLE), "columns": ALL_COLUMNS},
        {"key": key(*FIVE_TUPLE), "columns": ALL_COLUMNS, "verdicts": BAD, "row_limit": 2},
        {"key": key(*FIVE_TUPLE), "decap": False},
        {"key": key(*FIVE_TUPLE), "tunnels": [(53, 1)]},
        {"key": None, "columns": ALL_COLUMNS},
    ],
)
def test_keys_columns_and_tunnels_that_are_asked_for_are_the_same(
    patch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    both(patch, pcap(records([*FRAMES.values()] * 4)), [1 << 18], **options)


@pytest.mark.parametrize("inner", [False, True])
def test_a_filter_is_the_same(patch: pytest.MonkeyPatch, inner: bool) -> None:
    pytest.importorskip("cypcap")
    where = compiler("udp port 53")
    assert where is not None
    inside = where(b.LINK_RAW, False)
    both(
        patch,
        pcap(records([*FRAMES.values()] * 4)),
        [1 << 18],
        key=CONNECTIONS,
        inner=inner,
        where=where,
        inside=inside,
    )


@pytest.mark.parametrize("by", [CONNECTIONS, None], ids=["connections", "no table"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", LONG)
def test_long_captures_are_the_same(patch: pytest.MonkeyPatch, name: str, threads: int, by: Any) -> None:
    both(patch, LONG[name], [20_000], itertools.repeat(threads), key=by)


def test_damage_behind_the_limit_on_flows_is_not_seen(patch: pytest.MonkeyPatch) -> None:
    ends = [b.ethernet(b.ipv4(b.udp(b"?", 40000 + at, 53))) for at in range(4)]
    capture = pcap(records(ends)) + b"\xff" * 16
    for threads in (1, 2):
        both(patch, capture, [1 << 18], itertools.repeat(threads), key=key(*FIVE_TUPLE, max_flows=3))
    assert read(capture, [1 << 18], ONE, key=key(*FIVE_TUPLE, max_flows=3))["damage"] is None


frames = st.one_of(
    dialogue_frames,
    simple_frames,
    simple_frames,
    st.sampled_from([*FRAMES.values()]),
    fragment_frames,
    icmp_errors,
    tunnelled_frames,
    odd_frames,
)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A frame, some of whose bytes are perhaps not as they were built."""
    frame = bytearray(draw(frames))
    for at in draw(st.lists(st.integers(0, HEADERS), max_size=2)) if draw(st.booleans()) else []:
        frame[at : at + 1] = draw(st.binary(max_size=1))
    return bytes(frame)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A capture of such frames, perhaps with a byte changed and cut at the end, its records read several times."""
    packets, byteorder = draw(record_lists(changed())), draw(byte_orders)
    usual = pcap(packets, ns=draw(st.booleans()), snaplen=draw(st.sampled_from([262144, 48, 0])))
    whole = draw(st.sampled_from([usual, usual, pcap(packets, byteorder=byteorder), rewrapped(packets)]))
    octets = bytearray(again(whole, draw(st.integers(1, 8))))
    if draw(st.booleans()):
        octets[draw(st.integers(24, len(octets) + 24)) : :] = b""
    for at in draw(st.lists(st.integers(0, len(octets)), max_size=1)) if draw(st.booleans()) else []:
        octets[at : at + 1] = draw(st.binary(max_size=1))
    return bytes(octets)


@settings(max_examples=400, deadline=None)
@given(
    capture=damaged(),
    sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=3),
    threads=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    by=st.sampled_from(
        [
            key(*FIVE_TUPLE),
            CONNECTIONS,
            key(*FIVE_TUPLE, idle_timeout=200_000, active_timeout=300_000),
            key(*FIVE_TUPLE, ip_octets=True),
            key(*FIVE_TUPLE, max_flows=3),
            None,
        ]
    ),
)
def test_any_capture_is_the_same(capture: bytes, sizes: list[int], threads: list[int], by: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        both(patch, capture, sizes, itertools.cycle(threads), key=by)


@needs_corpus
def test_the_captures_of_the_corpus_are_the_same(patch: pytest.MonkeyPatch) -> None:
    for row in index():
        path = CORPUS / row["path"]
        if path.suffix in (".pcap", ".pcapng", ".cap") and path.stat().st_size < 1 << 22:
            both(patch, path.read_bytes(), [1 << 18], key=CONNECTIONS)
