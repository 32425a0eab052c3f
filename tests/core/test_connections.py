"""Connections: states and histories of hand-written talks, by the documentation of Zeek."""

import numpy as np
import pytest

import builders as b
import fluxcap
from capture_files import Record, pcap
from fluxcap.values import text
from tcp_talks import MS, SERVER, START, records, talk

SHAKE = ">S <SA >A"
LETTERS = "SHADFRCGTWIQ"
# A talk, its state and its history in Zeek.
STATES = [
    (">S", "S0", "S"),
    (">S >S@-1 >S@-1", "S0", "S"),  # sent again: the same number, no letter of its own
    (SHAKE, "S1", "ShA"),
    (f"{SHAKE} >D10 <A <D20 >A", "S1", "ShADad"),
    (f"{SHAKE} >D10 <D20 >F <F >A", "SF", "ShADdFf"),
    (f"{SHAKE} <F >F <A", "SF", "ShAfFa"),
    (">S <RA", "REJ", "Sr"),
    (">S <RA >S@-1 <R", "REJ", "Sr"),
    (f"{SHAKE} >F <A", "S2", "ShAFa"),
    (f"{SHAKE} <F >A", "S3", "ShAf"),
    (f"{SHAKE} >D5 >R", "RSTO", "ShADR"),
    (f"{SHAKE} >D5 <R", "RSTR", "ShADr"),
    (f"{SHAKE} >F <R", "RSTR", "ShAFr"),
    (">S >R", "RSTOS0", "SR"),
    (">S >S@-1 >D5!  >R", "RSTOS0", "SCR"),
    (">S >A >R", "OTH", "SAR"),
    ("<SA <R", "RSTRH", "^hr"),
    (">S >F", "SH", "SF"),
    (">S >A >D10 >F", "SH", "SADF"),
    ("<SA <F", "SHR", "^hf"),
    ("<SA >A <D10 >D5 <F", "S3", "^hAdDf"),
    (">D10 <A <D10 >A", "OTH", "DadA"),
    (">A <A", "OTH", "Aa"),
    (">D10 <R", "RSTRH", "Dr"),
    (">F <F", "SF", "Ff"),
    ("<SA >S@-1 >A", "S1", "^hSA"),  # the answer was recorded before the question
    (">S <S >SA@-1 <SA@-1", "S1", "Ss"),  # both asked at once (RFC 9293 section 3.5)
    (">S <A <SA@-0 >A", "S1", "SahA"),  # an ACK before the SYN+ACK makes no connection under way of it
    (">_", "OTH", ""),
    # A FIN and then a RST, answered by a FIN: still a normal end.
    (f"{SHAKE} >F >R <F", "SF", "ShAFRf"),
]
# Every letter from either side; repetitions are counted, and written again at ten times the count.
HISTORIES = [
    (">S <SA >A <A", "ShAa"),
    (f"{SHAKE} <S@-1 >SA@-1", "ShA"),
    (f"{SHAKE} >D1 <D1 >D1 <D1", "ShADd"),
    (f"{SHAKE} >F >F@-1 >F", "ShAFF"),  # the second lies where the first does, the third does not
    (f"{SHAKE} <F <F@-1 <F", "ShAff"),
    (f"{SHAKE} >R >R >R@+5", "ShARR"),
    (f"{SHAKE} <R <R <R@+5", "ShArr"),
    (f"{SHAKE} >D1! <D1!", "ShACc"),
    (f"{SHAKE} {'>D1! ' * 99}", "ShACC"),
    (f"{SHAKE} {'>D1! ' * 100}", "ShACCC"),
    (f"{SHAKE} >D10@+5 <A", "ShADaG"),
    (f"{SHAKE} <D10@+5 >A", "ShAdg"),
    (f"{SHAKE} <Aa+7", "ShAaG"),
    (f"{SHAKE} >Aa+7", "ShAg"),
    (f"{SHAKE} >D10 >D10@-10", "ShADT"),
    (f"{SHAKE} <D10 <D10@-10", "ShAdt"),
    (f"{SHAKE} >D10 {'>D10@-10 ' * 9}", "ShADT"),
    (f"{SHAKE} >D10 {'>D10@-10 ' * 10}", "ShADTT"),
    (f"{SHAKE} >Aw <Aw", "ShAWaw"),
    (f"{SHAKE} {'<Aw ' * 10}", "ShAaww"),
    (f"{SHAKE} <F >Aw", "ShAf"),  # the server sends no more: there is nothing to hold back
    (f"{SHAKE} >Rw", "ShAR"),
    (f"{SHAKE} >FR <FR", "ShAIi"),
    (f"{SHAKE} >FR >FR", "ShAI"),
    (f"{SHAKE} >SR <SF", "ShAQq"),
    (">SF", "Q"),
    (">RA", "R"),
    (">D1 >SA", "D"),  # a SYN+ACK in a connection under way is nothing that anybody acknowledged
    (">D1 >SAi <A", "DaH"),  # ... until it is
]


def read(line: str, **options):
    return fluxcap.read_connections(talk(line), **options)


def states(table) -> list[str]:
    return [fluxcap.STATES[code] for code in table["state"]]


def histories(table) -> list[str]:
    return text.cells("history", table["history"])


@pytest.mark.parametrize(("line", "state", "history"), STATES)
def test_the_state_is_told_from_what_each_side_sent(line, state, history):
    table = read(line)
    assert (states(table), histories(table)) == ([state], [history])


def test_every_state_has_a_talk():
    assert {state for _, state, _ in STATES} == set(fluxcap.STATES)


@pytest.mark.parametrize(("line", "history"), HISTORIES)
def test_the_history_has_zeeks_letters(line, history):
    assert histories(read(line)) == [history]


def test_every_letter_has_a_talk_in_either_case():
    written = "".join([history for *_, history in (*STATES, *HISTORIES)])
    assert set(written) == {*LETTERS, *LETTERS.lower(), "^"}


def test_a_history_that_has_no_room_says_so():
    talkative = f"{SHAKE} {'>F@+5 ' * 40}"
    assert histories(read(talkative)) == ["ShA" + "F" * 24 + "X"]


def test_an_abort_for_which_the_history_has_no_room_is_told_by_no_state():
    """The state RSTOS0 says what came between the SYN and the RST: only letters that were written down tell that."""
    repeated = f"{'>D10@-10w ' * 1000} {'>D1! ' * 1000} {'<D10@-10w ' * 1000} {'<D1! ' * 1000}"
    table = read(f">S <A <D10 >D10 {repeated} >R")
    assert (states(table), histories(table)) == (["OTH"], ["SadD" + "WT" * 4 + "CCCC" + "wt" * 4 + "cccx"])


@pytest.mark.parametrize(
    ("line", "port", "basis", "history"),
    [
        (">S", 9999, "syn", "S"),
        ("<SA", 9999, "synack", "^h"),
        (">D1 <SA", 9999, "synack", "Dh"),
        ("<D1", 443, "port", "^d"),
        (">D1", 443, "port", "D"),
        ("<D1", 9999, "first", "D"),
        ("<SA >S@-1", 9999, "syn", "^hS"),
        (">SFA", 9999, "first", "Q"),  # a scan
    ],
)
def test_forward_is_the_direction_of_who_began_and_the_basis_says_how_that_is_known(line, port, basis, history):
    table = fluxcap.read_connections(talk(line, server=(SERVER[0], port)))
    assert [fluxcap.DIRECTION_BASES[code] for code in table["direction_basis"]] == [basis]
    assert histories(table) == [history]


def test_a_turned_connection_has_its_counts_turned():
    table = read("<SA >A <D100 >A")
    assert table["src_port"].tolist() == [40000]
    assert (table["packets"].tolist(), table["reverse_packets"].tolist()) == ([2], [2])
    assert (table["payload_bytes"].tolist(), table["reverse_payload_bytes"].tolist()) == ([0], [100])


@pytest.mark.parametrize(
    ("line", "synack", "ack"),
    [
        (">S <SA~0.02 >A~0.01", 20 * MS, 10 * MS),
        (">S >S@-1~1 <SA~0.02 >A~0.01", 20 * MS, 10 * MS),  # the last question is the one that was answered
        (">S <SA~0.02 <SA@-1~1 >A~0.01", 20 * MS, 10 * MS),
        (">S <SA~0.02", 20 * MS, -1),
        (">S <RA", -1, -1),
        ("<SA >A~0.01", -1, 10 * MS),
        (">D1 <A", -1, -1),
        (">S <SAa+9~0.02", -1, -1),  # it answers another SYN
    ],
)
def test_the_handshake_is_timed(line, synack, ack):
    table = read(line)
    assert (table["synack_rtt"].tolist(), table["ack_rtt"].tolist()) == ([synack], [ack])


@pytest.mark.parametrize(
    ("line", "response"),
    [
        (f"{SHAKE} >D10 <A <D20~0.03", 31 * MS),
        (f"{SHAKE} >D10 >D10 <D20~0.03 <D20", 31 * MS),  # from the first data to the first answer
        (f"{SHAKE} >D10 >D10@-10~0.2 <D20", 201 * MS),  # sent again: the client waits since the first
        (f"{SHAKE} <D20 >D10 <D20@-20 <D20~0.03", 31 * MS),  # the server spoke first, and says that again
        (f"{SHAKE} >D10 <D20!~0.01 <D20@-20~0.03", 40 * MS),  # a bad checksum, which the client drops
        (f"{SHAKE} >D10 <D20@+5~0.03", 30 * MS),  # of the answer, the beginning is missing
        (f"{SHAKE} >D10 <SA@-1 <D20~0.03", 31 * MS),  # an answer of the handshake that came once more
        (f"{SHAKE} >D1@-1 <A >D10 <D20~0.03", 30 * MS),  # a keep-alive asks nothing
        (f"{SHAKE} >D10 <A", -1),
        (f"{SHAKE} <D20 >A", -1),
        (f"{SHAKE} >D10 <RD20", -1),
        (">SD10 <SA >A <D20", -1),  # data in the SYN (RFC 7413)
        (">D10 <D20~0.03", -1),  # under way before the capture: perhaps the answer to an earlier request
        ("<SA >A >D10 <D20~0.03", 30 * MS),
        (f"{SHAKE} >D10~0.5 <D20~-0.3", -1),  # time goes back
    ],
)
def test_the_answer_to_the_first_request_is_timed(line, response):
    table = read(line)
    assert table["response_time"].tolist() == [response]


def test_the_handshake_keeps_its_times_whatever_comes_after_the_request():
    table = read(f"{SHAKE} >D10 <SA@-1~0.2 >A <D20~0.03")
    assert (table["synack_rtt"].tolist(), table["ack_rtt"].tolist()) == ([MS], [MS])
    assert table["response_time"].tolist() == [231 * MS]


@pytest.mark.parametrize(("ways", "response"), [("><", 5 * MS), (">><<", 10 * MS), (">", -1), (">>>><", 20 * MS)])
def test_the_first_datagram_back_answers_the_first_one_there(ways, response):
    sent = {
        way: bytes(b.ethernet(b.ipv4(b.udp(b"hello", *ports), *hosts)))
        for way, ports, hosts in (
            (">", (4000, 9999), ("192.0.2.1", "192.0.2.2")),
            ("<", (9999, 4000), ("192.0.2.2", "192.0.2.1")),
        )
    }
    capture = pcap([Record(sent[way], START + at * 5 * MS) for at, way in enumerate(ways)])
    assert fluxcap.read_connections(capture)["response_time"].tolist() == [response]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"{SHAKE} >D10 >D10@-10 >D5@-7", {"retransmitted": 2}),
        (f"{SHAKE} <D10 <D10@-10", {"reverse_retransmitted": 1}),
        (">S >S@-1 >S@-1", {"retransmitted": 2}),
        (f"{SHAKE} >F >F@-1", {"retransmitted": 1}),
        (f"{SHAKE} >D10@+10 >D10@-20", {"out_of_order": 1}),
        (f"{SHAKE} >D10@+10 >D10@-20 >D10@-20", {"out_of_order": 1, "retransmitted": 1}),
        (f"{SHAKE} >D10@+30 >D10@-30", {"out_of_order": 1, "gap_bytes": 20}),  # the middle of a hole
        (f"{SHAKE} <D10@+10", {"reverse_gap_bytes": 10}),
        (f"{SHAKE} >D10@+10 >D30@-20", {}),  # filled on the way to more
        (f"{SHAKE} {'>D1@+1 ' * 9}", {"gap_bytes": 9}),  # more holes than are watched
        (f"{SHAKE} <Aa+100 >D100", {"out_of_order": 1}),  # acknowledged before it was recorded
        (f"{SHAKE} <Aa+100", {"gap_bytes": 100}),
        (f"{SHAKE} >D1@+2000000000", {}),  # no window is so large: another sequence
        (f"{SHAKE} >R@+10", {}),
        (">D10 >D10@-20 >D10@-10", {"out_of_order": 1, "retransmitted": 1}),  # before the first that was seen
        (f"{SHAKE} >Aw >Aw <Aw", {"zero_window": 2, "reverse_zero_window": 1}),
    ],
)
def test_segments_are_counted_by_what_they_bring(line, expected):
    table = read(line)
    names = ("retransmitted", "out_of_order", "gap_bytes", "zero_window")
    found = {f"{way}{name}": int(table[f"{way}{name}"][0]) for name in names for way in ("", "reverse_")}
    assert found == {**dict.fromkeys(found, 0), **expected}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"{SHAKE} >F <F >A >Si", ["SF", "S0"]),
        (f"{SHAKE} >F <F >A >Si <SAi >A", ["SF", "S1"]),
        (">S <RA >Si <RA", ["REJ", "REJ"]),
        (f"{SHAKE} >D9 >Si <SAi >A", ["S1", "S1"]),  # its end was not recorded
        (f"{SHAKE} >D9 >Si", ["S1"]),  # nobody acknowledged that there is another
        (f"{SHAKE} >F <F <Si", ["SF", "S0"]),  # the other side asks
        (f"{SHAKE} >F <F >A >S@-2", ["SF"]),  # the SYN of the connection that was, late
        ("<SA <F <SAi", ["SHR", "OTH"]),  # only answers are recorded
    ],
)
def test_a_syn_with_another_number_begins_another_connection(line, expected):
    table = read(line)
    assert states(table) == expected
    assert table["end_reason"].tolist() == [3] * (len(expected) - 1) + [4]


def test_zeek_forgets_connections_that_nobody_answers_and_those_that_have_ended():
    assert states(read(">S >A >D10 >D10~5", semantics="zeek")) == ["S0", "OTH"]
    assert states(read(">S >A >D10 >D10~4.9", semantics="zeek")) == ["S0"]
    assert histories(read(f"{SHAKE} >R <A~5", semantics="zeek")) == ["ShAR", "A"]
    assert histories(read(f"{SHAKE} >R <A~4.9", semantics="zeek")) == ["ShARa"]
    assert states(read(">S <RA >S@-1 <RA", semantics="zeek")) == ["REJ", "REJ"]


def test_what_is_corrupt_takes_part_if_asked_for():
    assert states(read(">S <SA! >A")) == ["S0"]
    assert histories(read(">S <SA! >A")) == ["ScA"]
    assert states(read(">S <SA! >A", ignore_checksums=True)) == ["S1"]


def datagram(source: tuple[str, int], to: tuple[str, int], checksum=None) -> b.Layer:
    return b.ipv4(b.udp(b"?", source[1], to[1], checksum=checksum), source[0], to[0])


A, B = ("192.0.2.1", 40000), ("192.0.2.2", 9999)


@pytest.mark.parametrize(
    ("packets", "state", "history"),
    [
        ([datagram(A, B)], "S0", "D"),
        ([datagram(A, B), datagram(B, A), datagram(A, B)], "SF", "Dd"),
        ([datagram((B[0], 53), A)], "SHR", "^d"),
        ([datagram(A, B, 1), datagram(B, A, 1)], "OTH", "Cc"),
        ([datagram(A, B, "partial")], "S0", "D"),
        ([b.ipv4(b.icmp(b"ping", 8))], "OTH", ""),
        ([b.ipv4(b"?", protocol=200)], "OTH", ""),
    ],
)
def test_udp_and_the_rest_are_as_zeek_has_them(packets, state, history):
    frames = [Record(bytes(b.ethernet(packet)), START + at) for at, packet in enumerate(packets)]
    table = fluxcap.read_connections(pcap(frames))
    assert (states(table), histories(table)) == ([state], [history])


def test_errors_that_say_port_unreachable_are_counted_on_the_side_they_quote():
    asked, answered = datagram(A, B), datagram(B, A)
    frames = [
        b.ethernet(b.ipv4(b.icmp(bytes(answered), 3, 3, bytes(4)), A[0], B[0])),  # before any datagram is seen
        b.ethernet(asked),
        b.ethernet(answered),
        b.ethernet(b.ipv4(b.icmp(bytes(asked), 3, 3, bytes(4)), B[0], A[0])),
        b.ethernet(b.ipv4(b.icmp(bytes(asked), 3, 3, bytes(4)), B[0], A[0])),
        b.ethernet(b.ipv4(b.icmp(bytes(asked), 3, 1, bytes(4)), B[0], A[0])),  # the host is
    ]
    table = fluxcap.read_connections(pcap([Record(bytes(frame), START + at) for at, frame in enumerate(frames)]))
    row = table.filter(table["protocol"] == b.UDP)
    assert (row["unreachable"].tolist(), row["reverse_unreachable"].tolist()) == ([2], [1])
    assert row["icmp_errors"].tolist() == [4]


def test_fragments_after_the_first_leave_the_connection_alone():
    segment = b.tcp(bytes(40), A[1], B[1], seq=1, ack=1).over(b.packed(A[0]), b.packed(B[0]))
    frames = [
        b.ethernet(b.ipv4(piece, A[0], B[0], b.TCP, identification=1, offset=at, more=more))
        for at, more, piece in b.pieces(segment, 24)
    ]
    table = fluxcap.read_connections(pcap([Record(bytes(frame), START + at) for at, frame in enumerate(frames)]))
    assert (table["packets"].tolist(), histories(table)) == ([len(frames)], ["D"])


def test_the_columns_before_those_of_connections_are_those_of_flows_by_five_tuple():
    capture = pcap([*records(f"{SHAKE} >D10 >F <F"), *records(">S <RA", client=("192.0.2.9", 1))])
    flows, connections = fluxcap.read_flows(capture), fluxcap.read_connections(capture)
    assert connections.columns[: len(flows.columns)] == flows.columns
    assert all(np.array_equal(flows[name], connections[name]) for name in flows.columns)


def test_tables_of_connections_do_not_merge():
    table = read(SHAKE)
    with pytest.raises(ValueError, match="tables of connections do not merge"):
        fluxcap.merge([table, table])


@pytest.mark.parametrize(("ack", "packets"), [("", [1, 1]), ("a-1000001", [2])])
def test_a_syn_in_an_open_connection_begins_another_where_an_ack_of_its_number_comes(ack, packets):
    """An ACK of what was expected before is a challenge (RFC 5961 section 4): the connection goes on."""
    table = read(f">D5 <A >S@+1000000i <A{ack}")
    assert (table["packets"].tolist(), int(table["reverse_packets"].sum())) == (packets, 2)


@pytest.mark.parametrize(("column", "at", "good"), [("ip_bad", 24, [2, 3]), ("bad", 50, [2, 2])])
def test_a_syn_that_began_another_connection_takes_its_wrong_checksums_along(column, at, good):
    """It is counted in the connection before until it is answered. `at`: of the checksum of IP or TCP in the frame."""
    segments = records(">D5 <A >S@+1000000i <SAi >A")
    octets = segments[2].data
    segments[2] = segments[2]._replace(data=octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :])
    table = fluxcap.read_connections(pcap(segments), ignore_checksums=True)
    assert (table["packets"].tolist(), table[column].tolist(), table["good"].tolist()) == ([1, 2], [0, 1], good)


def test_the_packets_of_a_connection_can_be_extracted(tmp_path):
    source, target = tmp_path / "talk.pcap", tmp_path / "second.pcap"
    source.write_bytes(talk(f"{SHAKE} >F <F >A >Si <RA"))
    fluxcap.read_connections(source).extract(1, target)
    assert states(fluxcap.read_connections(target)) == ["REJ"]


@pytest.mark.parametrize("line", [f"{SHAKE} >D1 <D1~30 <D1~70 >D1", f"{SHAKE} >D1 <D1~130 <D1~70 >D1"])
def test_the_originator_stays_who_sent_the_syn_after_an_active_timeout(line):
    table = read(line, active_timeout="60s")
    assert len(table) > 1
    assert table["src_port"].tolist() == [40000] * len(table)
    assert [fluxcap.DIRECTION_BASES[code] for code in table["direction_basis"]] == ["syn"] * len(table)
    flows = fluxcap.read_flows(talk(line), semantics="zeek", idle_timeout="1h", active_timeout="60s")
    assert flows["src_port"].tolist() == [40000] * len(flows)


@pytest.mark.parametrize(
    ("line", "ports"),
    [
        pytest.param(f"{SHAKE} >D1 <D1~30 >D1 <D1~30 >D1", [40000, 40000, 40000], id="each interval"),
        pytest.param(f"{SHAKE} >D1 <D1~200 >D1", [40000, 40000], id="intervals without a packet between"),
        pytest.param(f"{SHAKE} >D1 <D1~4000 >D1", [40000, 9999], id="after the idle timeout"),
        pytest.param(f"{SHAKE} >D1 <D1~1800 >D1", [40000, 9999], id="more than 64 intervals later"),
    ],
)
def test_the_originator_stays_who_sent_the_syn_in_later_intervals(line, ports):
    flows = fluxcap.read_flows(talk(line), semantics="zeek", idle_timeout="1h", interval="25s")
    assert flows["src_port"].tolist() == ports
