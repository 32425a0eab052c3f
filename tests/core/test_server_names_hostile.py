"""Bytes that mean harm: whatever they are, names are looked for in bounded memory and written in printable letters."""

import random
import resource
import subprocess
import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import pcap, records
from named_traffic import (
    ASKED,
    CLIENT,
    CNAME,
    NAME,
    PORT,
    RESOLVER,
    SERVER,
    A,
    address,
    answered,
    extension,
    hello,
    labels,
    name_of,
    names_of,
    over_ip,
    pointer,
    record,
    reply,
    request,
    segment,
    syn,
    tls,
)  # fmt: skip

TO_SERVER = segment(b"data", ports=(PORT, 9999))
CHAIN = reply(NAME, [record(ASKED, CNAME, labels("alias.test")), address(SERVER, labels("alias.test"))])
MESSAGES = [CHAIN, reply(NAME, [address("2001:db8::7"), address(SERVER)])]
STREAMS = [
    tls(hello(after=extension(10, b"")), 40),
    tls(hello(before=extension(10, bytes(20)), after=extension(11, b""))),
    request(),
]
PRINTABLE = set(range(0x21, 0x7F)) - set(b'",')


def datagram(message: bytes) -> bytes:
    return over_ip(b.udp(message, 53, PORT), RESOLVER, CLIENT)


def checked(frames: list[bytes]) -> list[tuple[str, str]]:
    """The names of the flows, each of which can be written anywhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of what is not kept
        found = names_of(frames)
    for name, basis in found:
        assert set(name.encode("ascii")) <= PRINTABLE
        assert len(name) <= 255
        assert (basis == "none") == (not name)
    return found


@pytest.mark.parametrize("message", MESSAGES)
def test_an_answer_that_is_cut_anywhere_names_the_addresses_before(message):
    whole = name_of(datagram(message), TO_SERVER)
    assert whole == (NAME, "dns")
    for cut in range(len(message)):
        assert checked([datagram(message[:cut]), TO_SERVER])[-1] == ("", "none")


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_that_ends_anywhere_tells_its_name_or_none(stream):
    whole = name_of(syn(), segment(stream))
    told = [checked([syn(), segment(stream[:cut])])[-1] for cut in range(1, len(stream))]
    assert set(told) == {("", "none"), whole}
    assert told == sorted(told)  # once it is there, it stays


@given(st.sampled_from(MESSAGES), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=4))
def test_an_answer_with_other_bytes_harms_nothing(message, changes):
    mutated = bytearray(message)
    for place, octet in changes:
        mutated[place % len(mutated)] = octet
    checked([datagram(bytes(mutated)), TO_SERVER])


@given(
    st.sampled_from(STREAMS),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3),
    st.lists(st.tuples(st.integers(-20, 500), st.integers(1, 300)), min_size=1, max_size=12),
    st.booleans(),
)
def test_segments_of_any_bytes_in_any_order_harm_nothing(stream, changes, pieces, begun):
    mutated = bytearray(stream)
    for place, octet in changes:
        mutated[place % len(mutated)] = octet
    parts = [segment(bytes(mutated[max(at, 0) : at + n]), max(at, 0)) for at, n in pieces]
    checked([*([syn()] if begun else []), *parts, segment(bytes(mutated))])


@given(st.binary(max_size=80), st.sampled_from([b"\x16\3\1", b"GET ", b"\0\x30", b""]))
def test_any_bytes_harm_nothing(payload, start):
    ends = {"src": RESOLVER, "dst": CLIENT, "ports": (53, PORT)}
    checked([syn(), segment(start + payload), syn(**ends), segment(start + payload, **ends), datagram(payload)])


@pytest.mark.parametrize(
    "name",
    [
        pointer(12), pointer(14), pointer(13), pointer(0x3FFF), pointer(4), b"\1a" + pointer(12), b"\xc0",
        b"\x40abc\0", b"\x80abc\0", b"\x3fabc", (b"\x3f" + b"a" * 63) * 4 + b"\0", b"\1a" * 128 + b"\0",
        b"\1a" + pointer(14), b"\1a" + pointer(13),
    ],
    ids=[
        "a loop", "behind itself", "into itself", "far ahead", "into the header", "a loop with a label", "cut",
        "of a kind that is no more", "of a reserved kind", "past the end", "longer than a name", "more labels than fit",
        "into itself behind a label", "into a label",
    ],
)  # fmt: skip
def test_a_name_that_is_none_names_nothing(name):
    message = reply("", [])[:12] + name + b"\0\1\0\1" + record(pointer(12), A, bytes([198, 51, 100, 7]))
    message = message[:7] + b"\1" + message[8:]
    assert checked([datagram(message), TO_SERVER])[-1] == ("", "none")


def test_a_name_that_is_too_long_twice_names_nothing():
    long = labels(".".join(["a" * 63] * 4))
    message = reply("", [address(SERVER, long)]).replace(b"\0\0\1\0\1", long + b"\0\1\0\1", 1)
    assert checked([datagram(message), TO_SERVER])[-1] == ("", "none")


def test_the_longest_name_of_dns_is_one():
    name = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert name_of(datagram(reply(name, [address(SERVER)])), TO_SERVER) == (name, "dns")
    assert checked([datagram(reply(f"{name}c", [address(SERVER)])), TO_SERVER])[-1] == ("", "none")


def test_canonical_names_in_a_circle_end():
    one, two = labels("one.test"), labels("two.test")
    circle = [record(ASKED, CNAME, one), *[record(one, CNAME, two), record(two, CNAME, one)] * 20, address(SERVER, one)]
    assert name_of(datagram(reply(NAME, circle)), TO_SERVER) == (NAME, "dns")


def test_a_message_may_claim_more_records_and_questions_than_it_has():
    assert name_of(datagram(reply(NAME, [address(SERVER)], count=65535)), TO_SERVER) == (NAME, "dns")
    assert checked([datagram(reply(NAME, [address(SERVER)], questions=65535)), TO_SERVER])[-1] == ("", "none")


def flood(kind: str, rng: random.Random) -> list[bytes]:
    """Frames that each want to be remembered."""
    if kind == "heads":
        return [segment(tls(hello())[:60], ports=(port, 443)) for port in range(1024, 65000)]
    if kind == "long heads":
        body = b"\x16\3\1\x40\0\1\0\x3f\xf0" + bytes(1391)
        return [segment(body if at == 0 else bytes(1400), 1400 * at, ports=(port, 443))
                for port in range(1024, 4000) for at in range(11)]  # fmt: skip
    if kind == "early":
        return [frame for port in range(1024, 30000)
                for frame in (syn(ports=(port, 443)), segment(b"x", 15000, ports=(port, 443)))]  # fmt: skip
    return [answered(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", name=f"{rng.randbytes(60).hex()[:60]}.{i}.test")
            for i in range(60000)]  # fmt: skip


PEAK = """
import resource, sys, warnings
import fluxcap
warnings.simplefilter("ignore")
fluxcap.read_flows(sys.argv[1], by="protocol", server_names=len(sys.argv) > 2)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
BOUND = 80 << 10  # KiB: names 44 MiB, heads 17, answers 7, what waits to be counted


@pytest.mark.parametrize("kind", ["heads", "long heads", "early", "answers"])
def test_a_flood_takes_bounded_memory(kind, tmp_path):
    path = tmp_path / "flood.pcap"
    path.write_bytes(pcap(records(flood(kind, random.Random(7)))))
    plain, named = (
        int(subprocess.run([sys.executable, "-c", PEAK, str(path), *more], capture_output=True, check=True).stdout)
        for more in ((), ("names",))
    )
    assert named - plain < BOUND


def test_so_many_names_are_kept_and_no_more():
    assert resource.getpagesize()
    sent = [hello(f"{i:07}{'x' * 248}".encode()) for i in range((32 << 20) // 255 + 3)]
    frames = [segment(tls(one), ports=(place % 60000 + 1000, 443)) for place, one in enumerate(sent)]
    with pytest.warns(UserWarning, match="left out 3 times"):
        table = fluxcap.read_flows(pcap(records(frames)), by="protocol", server_names=True)
    assert len(table) == 1
