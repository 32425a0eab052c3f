"""What `read_info` says besides the counts of records: lengths, rates, hashes, and what is not IP."""

import hashlib
import re
from collections import Counter

import pytest

import builders as b
import fluxcap
from altered_captures import records_of
from capture_files import pcap, records
from fluxcap.reports.info import facts
from real_captures import SAMPLES

SESSION, SOCKETS = SAMPLES / "session.pcap", SAMPLES / "sockets.pcapng"
IPV4 = b.ethernet(b.ipv4(b.udp(b"x")))


def other(ethertype: int, tag: int | None = None) -> bytes:
    """A frame without IP."""
    inner = ethertype.to_bytes(2, "big") + bytes(46)
    return bytes(12) + (b"" if tag is None else b"\x81\x00" + tag.to_bytes(2, "big")) + inner


def test_rates_and_lengths_are_those_of_the_records():
    info, own = fluxcap.read_info(SESSION), records_of(SESSION)
    octets, seconds = sum(len(one.data) for one in own), (own[-1].time - own[0].time) / 10**9
    assert info.octets_per_packet == pytest.approx(octets / len(own))
    assert info.bits_per_second == pytest.approx(8 * octets / seconds)
    assert info.to_dict()["bits_per_second"] == info.bits_per_second


@pytest.mark.parametrize("paths", [[SESSION], [SESSION, SOCKETS]], ids=len)
def test_the_hash_is_that_of_the_bytes_as_they_are_stored(paths):
    info = fluxcap.read_info(paths, sha256=True)
    assert [one.sha256 for one in info.inputs] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    assert fluxcap.read_info(paths).inputs[0].sha256 is None


def test_what_can_be_read_only_once_is_not_hashed():
    with SESSION.open("rb") as file, pytest.raises(ValueError, match="can be read only once"):
        fluxcap.read_info(file, sha256=True)


@pytest.mark.parametrize("threads", [1, 2])
def test_records_without_ip_are_counted_by_ethertype(threads):
    frames = [other(0x0806), IPV4, other(0x88CC, tag=7), other(0x0806), other(38), other(0x1234)] * 3000
    info = fluxcap.read_info(pcap(records(frames)), threads=threads)
    assert info.non_ip == {0x0806: 6000, 0x88CC: 3000, 0: 3000, 0x1234: 3000}
    assert dict(facts(info))["not IP"] == "6,000 ARP, 3,000 LLDP, 3,000 without ethertype, 3,000 0x1234"


def test_more_ethertypes_than_are_told_apart_are_others():
    frames = [other(0x2000 + number) for number in range(50)]
    info = fluxcap.read_info(pcap(records([IPV4, *frames, frames[0]])))
    assert info.non_ip == Counter({0x2000 + number: 1 + (number == 0) for number in range(32)})
    assert dict(facts(info))["not IP"].endswith(f", {51 - 7} others")
    assert info.ledger["non_ip"][0] == 51


@pytest.mark.parametrize(("path", "digits"), [(SOCKETS, 9), (SESSION, 6)], ids=["nanoseconds", "microseconds"])
def test_times_have_as_many_digits_as_the_file(path, digits):
    own = [one.time for one in records_of(path)]
    fractions = [f".{time % 10**9:09}"[: 1 + digits] for time in (own[0], own[-1])]
    told = dict(facts(fluxcap.read_info(path)))["time"].partition(" UTC")[0]
    assert re.findall(r"\.\d+", told) == fractions


def test_the_snap_length_is_said():
    assert dict(facts(fluxcap.read_info(pcap(records([IPV4]), snaplen=1600))))["input"].endswith("snap length 1,600")
    assert "snap length" not in dict(facts(fluxcap.read_info(pcap(records([IPV4]), snaplen=0))))["input"]


def test_a_pcap_of_nanoseconds_says_so():
    ticks = [fluxcap.read_info(pcap([], ns=ns)).inputs[0].interfaces[0].ticks_per_second for ns in (False, True)]
    assert ticks == [1e6, 1e9]
