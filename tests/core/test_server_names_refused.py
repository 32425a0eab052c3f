"""Packets that teach no names of servers, or less than they were sent with: damaged, cut, left out by a filter."""

import pytest

import fluxcap
from capture_files import Record, pcap
from named_traffic import (
    NAME,
    SERVER,
    answered,
    extension,
    hello,
    name_of,
    names_of,
    request,
    segment,
    segments,
    syn,
    tls,
)  # fmt: skip

NONE = ("", "none")
DNS, SNI = (NAME, "dns"), (NAME, "sni")
HELLO = tls(hello())
TO_SERVER = segment(b"data")


def test_a_packet_with_a_bad_checksum_teaches_nothing():
    assert name_of(answered(SERVER, checksum=1), TO_SERVER) == NONE
    assert name_of(syn(), segment(HELLO, checksum=1)) == NONE
    assert name_of(syn(), segment(request(), checksum=1)) == NONE
    one, two = segments(HELLO, 30)
    assert name_of(syn(), one, segment(bytes(len(HELLO) - 30), 30, checksum=1), two) == SNI


def test_a_checksum_that_is_left_to_the_card_or_absent_teaches():
    assert name_of(answered(SERVER, checksum="partial"), TO_SERVER) == DNS
    assert name_of(answered(SERVER, checksum=0), TO_SERVER) == DNS
    assert name_of(syn(), segment(HELLO, checksum="partial")) == SNI


def test_a_cut_record_teaches_what_it_has():
    frame = segment(tls(hello(after=extension(51, bytes(1200)))))
    needed = frame.index(NAME.encode()) + len(NAME)
    assert fluxcap.read_flows(pcap([Record(frame).cut(needed)]), server_names=True)["server_name"] == [NAME.encode()]
    with pytest.warns(UserWarning, match="1 messages that may name a server"):
        table = fluxcap.read_flows(pcap([Record(frame).cut(needed - 1)]), server_names=True)
    assert table["server_name"].tolist() == [b""]


def test_a_second_segment_that_is_cut_is_counted_and_a_header_that_is_cut_teaches_nothing():
    one, two = (Record(frame) for frame in segments(HELLO, 30))
    with pytest.warns(UserWarning, match="1 messages that may name a server"):
        table = fluxcap.read_flows(pcap([one, two.cut(60)]), server_names=True)
    assert table["server_name"].tolist() == [b""]
    table = fluxcap.read_flows(pcap([one.cut(14 + 20 + 8)]), server_names=True)
    assert table["server_name"].tolist() == [b""]


def test_a_record_that_a_filter_leaves_out_teaches_nothing():
    pytest.importorskip("cypcap")
    assert names_of([answered(SERVER), TO_SERVER], where="tcp") == [NONE]
