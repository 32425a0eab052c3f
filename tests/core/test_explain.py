"""One record taken apart: it is judged as in a table, its fields are its bytes, its sums are those of RFC 1071."""

import io
from pathlib import Path

import pytest

import builders as b
import capture_files as files
import fluxcap
from explained_records import alone, explained
from fluxcap._core import DISPOSITIONS, REASONS, VERDICTS
from packet_cases import TUNNELS
from plain_checksums import ones_sum
from real_captures import CORPUS, SAMPLES, index, needs_corpus
from verdict_cases import CASES, HEADERS, ORDER

RECORDS = 150  # of a capture that are explained
ETHERNET = 14

# What a record says of its innermost packet, by the names of the columns of a packet table.
SAME = ("protocol", "src_port", "dst_port", "payload_length", "depth", "ip_version", "tcp_flags")
SUMMED = ("good", "bad", "partial")
SAMPLE_FILES = sorted(path for path in SAMPLES.iterdir() if ".pcap" in path.suffix)


def pcap(packet: bytes, snaplen: int = 262144) -> bytes:
    return files.pcap([files.Record(bytes(b.ethernet(packet))).cut(snaplen)])


def octets_of(capture: bytes | Path, row) -> bytes:
    data = capture if isinstance(capture, bytes) else capture.read_bytes()
    return data[row["offset"] : row["offset"] + row["captured_length"]]


def disagreements(row, found, octets):
    """In what a record that is explained differs from its row, its bytes and the sums of them."""
    judged = found["judged"][-1]
    wrong = [name for name in SAME if judged[name] != row[name]]
    completes = row["verdict"] != "fragment" and VERDICTS[judged["verdict"]] == "fragment"
    if not completes:  # else the verdict is that of the datagram, which the record alone does not have
        codes = ("verdict", VERDICTS), ("ip_verdict", VERDICTS), ("reason", REASONS), ("disposition", DISPOSITIONS)
        joined = VERDICTS[judged["verdict"]] == "fragment" or VERDICTS[judged["verdict"]] == "bad_length"
        wrong += [name for name, names in codes if names[judged[name]] != row[name]
                  and not (name == "disposition" and joined)]  # fmt: skip
        wrong += [name for name in ("checksum", "expected", "ip_checksum", "ip_expected") if judged[name] != row[name]]
    if judged["fragmented"] or judged["fragmented_around"]:
        wrong = [name for name in wrong if name not in ("src_port", "dst_port")]  # they come from the first fragment
    for one in found["judged"]:
        wrong += wrong_sums(one, octets)
    for header in found["headers"]:
        wrong += wrong_fields(header, octets)
    return wrong


def wrong_sums(judged, octets):
    wrong = []
    kinds = {"ip": "ip_verdict", "gre": "gre_verdict", "transport": "verdict"}
    for row in judged["sums"]:
        start, field = row["offset"], row["field"]
        summed = octets[start:field] + bytes(2) + octets[field + 2 : start + row["length"]]
        total, held = ones_sum(row["pseudo"] + summed), int.from_bytes(octets[field : field + 2])
        if row["sums"][-1] != total or len(row["words"]) != (len(row["pseudo"]) + len(summed) + 1) // 2:
            wrong.append(f"{row['kind']} sum")
        if ((total + held) % 0xFFFF == 0) != (VERDICTS[judged[kinds[row["kind"]]]] == "good"):
            wrong.append(f"{row['kind']} verdict")
        expected = {"ip": judged["ip_expected"], "transport": judged["expected"]}.get(row["kind"])
        if expected is not None and (total + expected) % 0xFFFF:
            wrong.append(f"{row['kind']} expected")
    return wrong


def wrong_fields(header, octets):
    wrong, at = [], 0
    here = int.from_bytes(octets[header["offset"] :])
    bits = 8 * (len(octets) - header["offset"])
    for name, bit, width, form, value in header["fields"]:
        if bit != at and bit - at >= 8:
            wrong.append(f"{header['kind']}: a gap before {name}")
        at = bit + width
        if form == "t":  # an option, whose value lies behind its type and length
            width = max(width - 16, 0)
        if at > bits or value != here >> bits - at & (1 << width) - 1:
            wrong.append(f"{header['kind']}: {name}")
    if at // 8 != header["captured"] or header["captured"] > header["length"]:
        wrong.append(f"{header['kind']} has {at // 8} bytes, not {header['captured']} of {header['length']}")
    return wrong


def all_disagreements(path, at_most=RECORDS):
    return [(row["packet"], wrong) for row, found in explained(path, at_most)
            if (wrong := disagreements(row, found, octets_of(path, row)))]  # fmt: skip


@pytest.mark.parametrize(("verdict", "packet"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_packet_is_explained_with_the_verdict_that_the_rfc_gives_it(verdict, packet):
    capture = pcap(packet)
    ((row, found),) = explained(capture)
    assert VERDICTS[found["judged"][-1]["verdict"]] == verdict
    assert disagreements(row, found, octets_of(capture, row)) == []
    summed = [one for one in found["judged"][-1]["sums"] if one["kind"] == "transport"]
    assert len(summed) == (verdict in SUMMED and found["judged"][-1]["protocol"] != 132)


@pytest.mark.parametrize(
    ("verdict", "packet", "snaplen"), [case[1:] for case in ORDER], ids=[case[0] for case in ORDER]
)
def test_a_packet_that_is_cut_or_contradicts_itself_is_explained_as_it_is_judged(verdict, packet, snaplen):
    capture = pcap(packet, snaplen)
    ((row, found),) = explained(capture)
    assert VERDICTS[found["judged"][-1]["verdict"]] == verdict
    assert disagreements(row, found, octets_of(capture, row)) == []


@pytest.mark.parametrize(
    ("verdict", "packet", "cut"), [case[1:] for case in HEADERS], ids=[case[0] for case in HEADERS]
)
def test_an_ipv4_header_is_explained_with_its_verdict(verdict, packet, cut):
    found = alone(pcap(packet, cut), 1)
    assert VERDICTS[found["judged"][0]["ip_verdict"]] == verdict
    assert [one["length"] for one in found["judged"][0]["sums"] if one["kind"] == "ip"] == (
        [packet[0] % 16 * 4] if verdict in SUMMED else []
    )


def titles(packet: bytes, **options) -> list[tuple[str, int, int]]:
    return [(one["title"], one["offset"], one["length"]) for one in alone(pcap(packet), 1)["headers"]]


def test_the_headers_of_a_tunnel_are_on_the_path_with_those_around_it():
    inner = b.ethernet(b.ipv4(b.tcp(b"x", options=bytes((2, 4, 5, 180)))))
    packet = b.ipv4(b.udp(bytes.fromhex("0800000000002a00") + inner, 40000, 4789))
    assert titles(packet) == [
        ("Ethernet", 0, 14), ("IPv4", 14, 20), ("UDP", 34, 8), ("VXLAN", 42, 8), ("Ethernet", 50, 14), ("IPv4", 64, 20),
        ("TCP", 84, 24),
    ]  # fmt: skip


def test_a_udp_port_of_a_tunnel_without_one_adds_no_header():
    assert [title for title, _, _ in titles(b.ipv4(b.udp(b"no tunnel", 40000, 4789)))] == ["Ethernet", "IPv4", "UDP"]


@pytest.mark.parametrize(
    ("link_type", "wrap", "first"),
    [
        # https://www.radiotap.org, and the PPI specification of CACE: both write their lengths low byte first
        (b.LINK_RADIOTAP, lambda packet: b.radiotap(b.ieee802_11(b.llc_snap(packet))),
         ["version 0", "pad 0", "length 0x0008, lowest byte first", "present 0x00000000, lowest byte first"]),
        (b.LINK_PPI, lambda packet: b.ppi(b.ethernet(packet), b.LINK_ETHERNET),
         ["version 0", "flags 0x00", "length 0x0008, lowest byte first",
          "data link type 0x00000001, lowest byte first"]),
    ],
    ids=["radiotap", "PPI"],
)  # fmt: skip
def test_what_a_wireless_card_says_of_a_frame_is_taken_apart(link_type, wrap, first):
    capture = files.pcap([files.Record(bytes(wrap(b.ipv4(b.udp(b"x")))))], link_type)
    explanation = fluxcap.explain(io.BytesIO(capture), packet=1)
    assert [f"{field.name} {field.text}" for field in explanation.headers[0].fields[: len(first)]] == first
    assert explanation.headers[-1].title == "UDP"


ERSPAN, ERSPAN_III = 0x88BE, 0x22EB
GRE_IN = 14 + 20  # where GRE begins


@pytest.mark.parametrize(
    ("gre", "expected"),
    [
        # draft-foschiano-erspan sections 4.1 to 4.3: type I has no header, and the last bit of type III announces one.
        (b.gre(b.ethernet(b.ipv4(b.udp(b"x"))), ERSPAN), [("GRE", 0, 4), ("Ethernet", 4, 14)]),
        (b.gre(b.erspan_2(b.ethernet(b.ipv4(b.udp(b"x"))), 1023, 77), ERSPAN, sequence=1),
         [("GRE", 0, 8), ("ERSPAN II", 8, 8), ("Ethernet", 16, 14)]),
        (b.gre(b.erspan_3(b.ethernet(b.ipv4(b.udp(b"x"))), 5), ERSPAN_III, sequence=1),
         [("GRE", 0, 8), ("ERSPAN III", 8, 12), ("Ethernet", 20, 14)]),
        (b.gre(b.erspan_3(b.ethernet(b.ipv4(b.udp(b"x"))), platform=bytes(8)), ERSPAN_III, key=1, sequence=1),
         [("GRE", 0, 12), ("ERSPAN III", 12, 12), ("ERSPAN III platform", 24, 8), ("Ethernet", 32, 14)]),
    ],
    ids=["type I", "type II", "type III", "type III with a platform"],
)  # fmt: skip
def test_a_mirrored_frame_is_taken_apart_from_what_the_switch_put_before_it(gre, expected):
    found = alone(pcap(b.ipv4(gre)), 1)["headers"]
    assert [(one["title"], one["offset"] - GRE_IN, one["length"]) for one in found[2:-2]] == expected
    assert [one["depth"] for one in found] == [0] * (len(found) - 3) + [1] * 3


def test_what_the_switch_says_of_a_mirrored_frame_is_in_fields():
    frame = b.ethernet(b.ipv4(b.udp(b"x")))
    second = bytes.fromhex("104d e3ff 00012345")  # VLAN 77, COS 7, session 1023, index 0x12345
    third = bytes.fromhex(
        "204e 0005 0000002a 0007 8024"
    )  # VLAN 78, session 5, time 42, group 7, a frame, granularity 2
    packets = b.gre(second + frame, ERSPAN, sequence=1), b.gre(third + frame, ERSPAN_III, sequence=1)
    of_second, of_third = (alone(pcap(b.ipv4(one)), 1)["headers"][3]["fields"] for one in packets)
    values = {name: value for name, *_, value in of_second}
    assert values == {
        "version": 1,
        "VLAN": 77,
        "COS": 7,
        "En": 0,
        "T": 0,
        "session": 1023,
        "reserved": 0,
        "index": 0x12345,
    }
    values = {name: value for name, *_, value in of_third}
    assert (values["VLAN"], values["session"], values["timestamp"]) == (78, 5, 42)
    assert (values["security group tag"], values["P"], values["hardware"], values["Gra"], values["O"]) == (
        7,
        1,
        2,
        2,
        0,
    )


@pytest.mark.parametrize("case", TUNNELS.values(), ids=TUNNELS)
def test_the_header_of_every_tunnel_has_its_row(case):
    headers = alone(files.pcap(files.records([case.octets])), 1)["headers"]
    assert [one["title"] for one in headers for field in one["fields"] if field[0] == "not taken apart"] == []


def test_a_frame_behind_the_header_of_a_radio_is_a_header_of_its_own():
    captured = b.radiotap(b.ieee802_11(b.llc_snap(b.ipv4(b.udp(b"x")))), bytes(4))
    found = alone(files.pcap([files.Record(bytes(captured))], b.LINK_RADIOTAP), 1)["headers"]
    assert [(one["title"], one["offset"], one["length"]) for one in found[:3]] == [
        ("Radiotap", 0, 12), ("IEEE 802.11", 12, 24), ("LLC", 36, 8),
    ]  # fmt: skip


def test_a_packet_that_a_fragment_around_it_cuts_is_explained_by_the_fragment():
    inside = b.ipv4(b.udp(bytes(2000)), "10.0.0.1", "10.0.0.2")
    first = b.ipv4(bytes(b.gre(inside))[:1024], protocol=b.GRE, more=True)
    explanation = fluxcap.explain(io.BytesIO(pcap(first)), packet=1)
    assert explanation.checksums[-1].verdict == "bad_length"
    said = "The IP header says 2,028 bytes, and 1,020 were on the wire: the packet around the tunnel is a fragment."
    assert explanation.checksums[-1].sentence == said


def test_extension_headers_are_on_the_path_one_by_one():
    packet = b.ipv6(b.hop_by_hop(b.destination_options(b.udp(b"x"), b.option(4, bytes(5)))))
    assert [title for title, _, _ in titles(packet)] == [
        "Ethernet", "IPv6", "Hop-by-hop options", "Destination options", "UDP",
    ]  # fmt: skip


def test_options_are_fields_by_their_names():
    options = bytes.fromhex("020405b4 0402 080a 0000000100000002 01 030307")
    header = alone(pcap(b.ipv4(b.tcp(options=options))), 1)["headers"][-1]
    assert [(name, value) for name, *_, form, value in header["fields"] if form == "t"] == [
        ("MSS", 1460), ("SACK permitted", 0), ("timestamps", 1 << 32 | 2), ("NOP", 0), ("window scale", 7),
    ]  # fmt: skip


@pytest.mark.parametrize("options", [b"\x02\x00", b"\x02\x01\x00\x00", b"\x02\x09\x00\x00", b"\x02"])
def test_an_option_whose_length_is_wrong_is_not_taken_apart(options):
    padded = options + bytes(-len(options) % 4)
    header = alone(pcap(b.ipv4(b.tcp(options=padded))), 1)["headers"][-1]
    assert [(name, bits) for name, _, bits, form, _ in header["fields"][-1:]] == [("options", 8 * len(padded))]


def test_a_header_that_is_cut_has_the_fields_that_were_captured():
    header = alone(pcap(b.ipv4(b.udp(b"hello")), ETHERNET + 20 + 5), 1)["headers"][-1]
    assert [name for name, *_ in header["fields"]] == ["source port", "destination port", "more"]
    assert (header["length"], header["captured"]) == (8, 5)


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.name)
def test_records_of_a_sample_are_explained_as_they_stand_in_the_packet_table(path):
    assert all_disagreements(path) == []


@pytest.mark.slow
@needs_corpus
def test_records_of_real_captures_are_explained_as_they_stand_in_the_packet_table():
    from fluxcap.capture.magic import is_capture

    wrong, records = {}, 0
    for row in index()[::4]:
        path = CORPUS / row["path"]
        with path.open("rb") as octets:
            if not is_capture(octets.read(16)):
                continue
        if found := all_disagreements(path):
            wrong[row["path"]] = found
        records += 1
    assert wrong == {}
    assert records
