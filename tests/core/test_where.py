"""Filters in libpcap's language, compiled by libpcap and run by the core, agree with libpcap and tcpdump."""

import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import cypcap
import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
import fluxcap
from capture_files import enhanced_packet, interface, pcap, pcapng, records
from command_line import error_lines
from command_line import fluxcap as run
from core_driver import rows, scan
from fluxcap.capture import filters
from real_captures import CORPUS, SAMPLES, index

EXPRESSIONS = Path(__file__).with_name("expressions.txt").read_text().splitlines()
ETHERNET, RAW, NULL = 1, 101, 0

needs_tcpdump = pytest.mark.skipif(shutil.which("tcpdump") is None, reason="there is no tcpdump to compare with")

UDP = b.ipv4(b.udp(b"hello", 4000, 53))
TCP = b.ipv4(b.tcp(b"hello", 4000, 53))
MIXED = [b.ethernet(UDP), b.ethernet(TCP), b.ethernet(b.vlan(UDP, 7)), b.ethernet(b.ipv6(b.udp(b"", 1, 2)))]
CAPTURE = pcap(records(MIXED))


def accepted(capture, expression) -> int:
    """Records that the filter lets through, by the ledger."""
    ledger = fluxcap.read_info(capture, where=expression).ledger
    return sum(n for n, _ in ledger.values()) - ledger["filtered"][0]


def tcpdump_count(path: Path, expression: str) -> int:
    command = ["tcpdump", "-r", path, "--count", expression]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(re.match(r"(\d+) packets?$", out)[1])


@pytest.fixture(scope="module")
def ethernet_records(tmp_path_factory) -> Path:
    """The records of all Ethernet captures at hand, read and written by libpcap."""
    joined = tmp_path_factory.mktemp("where") / "joined.pcap"
    paths = sorted(SAMPLES.glob("*.pcap"))
    paths += [CORPUS / row["path"] for row in index() if row["tcpdump_linktype"] == "EN10MB"]
    with cypcap.open_dead(cypcap.DatalinkType.EN10MB, 262144) as kind, kind.dump_open(str(joined)) as out:
        for path in paths:
            try:
                with cypcap.open_offline(path) as capture:
                    if capture.datalink() == cypcap.DatalinkType.EN10MB:
                        for header, data in capture:
                            out.dump(header, data)
            except cypcap.Error:
                pass  # damaged or compressed: records before the damage are kept
    return joined


def test_there_are_fifty_expressions_to_compare():
    assert len(set(EXPRESSIONS)) == len(EXPRESSIONS) >= 50


@needs_tcpdump
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_filter_accepts_as_many_records_as_tcpdump_counts(ethernet_records, expression):
    assert accepted(ethernet_records, expression) == tcpdump_count(ethernet_records, expression)


@pytest.mark.parametrize(
    ("expression", "packets"),
    [
        ("udp", [1, 4]),
        ("tcp", [2]),
        ("vlan and udp", [3]),
        ("ip6", [4]),
        ("not ip and not ip6", [3]),
        ("less 1", []),
        ("len / (ip[9] - 6) = 4", [1]),  # a division by zero, here of TCP, refuses the record
        ("len % (ip[9] - 6) = 3", [1]),
    ],
)
def test_rows_are_those_of_the_accepted_records(expression, packets):
    table = fluxcap.read_packets(CAPTURE, where=expression)
    assert table["packet"].tolist() == packets
    assert [n for batch in fluxcap.scan_packets(CAPTURE, where=expression) for n in batch["packet"]] == packets


def test_refused_records_are_in_the_ledger_and_in_no_flow():
    table = fluxcap.read_flows(CAPTURE, where="tcp")
    assert table["protocol"].tolist() == [6]
    assert table.metadata["ledger"]["filtered"] == (3, sum(len(MIXED[place]) for place in (0, 2, 3)))
    assert table.metadata["packets"] == 4


def test_refused_records_are_not_judged():
    bad = b.ethernet(b.ipv4(b.udp(b"", 4000, 53, checksum=0xBAD)))
    capture = pcap(records([bad, *MIXED]))
    assert fluxcap.read_checksums(capture).bad_records == 1
    assert fluxcap.read_checksums(capture, where="tcp").bad_records == 0


def test_an_aggregator_takes_a_filter():
    with fluxcap.FlowAggregator(where="tcp") as flows:
        for at in range(len(CAPTURE)):
            flows.feed(CAPTURE[at : at + 1])
    assert flows.result() == fluxcap.read_flows(CAPTURE, where="tcp")


def test_each_link_type_has_its_own_program():
    blocks = [interface(ETHERNET), interface(RAW), *(enhanced_packet(MIXED[n], 0, 0) for n in (0, 1))]
    capture = pcapng(*blocks, enhanced_packet(UDP, 0, 1), interface(NULL), enhanced_packet(b.null(TCP), 0, 2))
    assert fluxcap.read_packets(capture, where="udp port 53")["packet"].tolist() == [1, 3]
    assert fluxcap.read_packets(capture, where="tcp")["packet"].tolist() == [2, 4]


@needs_tcpdump
def test_a_filter_sees_no_octet_past_the_snap_length(tmp_path):
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap(records(MIXED[:1]), snaplen=30))
    assert fluxcap.read_packets(path)["captured_length"].tolist() == [len(MIXED[0])]
    assert accepted(path, "ip[0] = 0x45") == tcpdump_count(path, "ip[0] = 0x45") == 1
    assert accepted(path, "udp") == 1
    assert accepted(path, "port 53") == tcpdump_count(path, "port 53") == 0


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_a_null_header_is_read_in_the_byte_order_of_its_file(byteorder):
    capture = pcap(records([b.null(UDP, byteorder=byteorder)]), NULL, byteorder=byteorder)
    assert accepted(capture, "udp") == 1


def test_a_filter_is_compiled_once_for_a_link_type():
    asked, compile_udp = [], filters.compiler("udp")
    assert compile_udp is not None

    def compile(*kind):
        asked.append(kind)
        return compile_udp(*kind)

    blocks = [interface(ETHERNET), interface(ETHERNET)]
    blocks += [enhanced_packet(MIXED[n % 4], 0, n % 2) for n in range(200)]
    scanner = scan(pcapng(*blocks), CAPTURE, where=compile)
    assert asked == [(ETHERNET, False)]
    assert len(scanner.take()["packet"]) == 102


@pytest.mark.parametrize("expression", ["udp prt 53", "ether", "tcp[", "port 99999", "inbound", "pörts"])
@pytest.mark.parametrize("capture", [CAPTURE, pcap([])], ids=["records", "none"])
def test_a_filter_that_libpcap_refuses_is_an_error(capture, expression):
    with pytest.raises(fluxcap.FilterError, match=re.escape(repr(expression))):
        fluxcap.read_flows(capture, where=expression)


def test_a_filter_that_makes_no_sense_for_a_link_type_is_an_error_that_names_it():
    with pytest.raises(fluxcap.FilterError, match="RAW"):
        fluxcap.read_flows(pcap(records([UDP]), RAW), where="vlan 5")


def test_the_command_takes_a_filter_and_explains_a_wrong_one(tmp_path):
    path = tmp_path / "mixed.pcap"
    path.write_bytes(CAPTURE)
    done = run("packets", "--where", "ip6 or tcp", "--columns", "packet", path)
    assert (done.returncode, done.stdout.split()) == (0, ["packet", "2", "4"])
    done = run("flows", "--where", "ip6 or tpc", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'ip6 or tpc'" in error_lines(done.stderr)[0]


def test_without_libpcap_the_command_says_what_to_install(tmp_path):
    (tmp_path / "cypcap.py").write_text("raise ModuleNotFoundError('no', name='cypcap')")
    path = tmp_path / "mixed.pcap"
    path.write_bytes(CAPTURE)
    search = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = run("info", "--where", "tcp", path, env={"PYTHONPATH": search})
    assert done.returncode == 2
    assert "pip install" in error_lines(done.stderr)[1]


# Programs

LOADS = [(code, k) for code in (0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xB1) for k in (0, 1, 5, 19, 20, 0xFFFFFFFF)]
WORDS = st.sampled_from([0, 1, 2, 7, 31, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
ARITHMETIC = [0x04, 0x14, 0x24, 0x44, 0x54, 0xA4]  # add, sub, mul, or, and, xor
straight = st.one_of(
    st.sampled_from(LOADS).map(lambda load: (load[0], 0, 0, load[1])),
    st.tuples(st.sampled_from([0x00, 0x01]), st.just(0), st.just(0), WORDS),  # immediate
    st.tuples(st.sampled_from([0x02, 0x03, 0x60, 0x61]), st.just(0), st.just(0), st.integers(0, 15)),  # memory
    st.sampled_from([(code, 0, 0, 0) for code in (0x80, 0x81, 0x84, 0x07, 0x87)]),  # length, negate, A and X
    st.tuples(st.sampled_from(ARITHMETIC), st.just(0), st.just(0), WORDS),
    st.tuples(st.sampled_from([0x34, 0x94]), st.just(0), st.just(0), st.integers(1, 9)),  # divide, remainder
    st.tuples(st.sampled_from([0x64, 0x74]), st.just(0), st.just(0), st.integers(0, 31)),  # shifts
    st.sampled_from([(code | 0x08, 0, 0, 0) for code in (*ARITHMETIC, 0x34, 0x94, 0x64, 0x74)]),  # by X
)


@st.composite
def programs(draw):
    """Instructions that only jump forward, and return A. The memory is set first: libpcap leaves old content of its
    stack there."""
    body = draw(st.lists(straight, max_size=12))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(body)))
        far = st.integers(0, len(body) - at)
        code = draw(st.sampled_from([0x15, 0x25, 0x35, 0x45, 0x1D, 0x2D, 0x3D, 0x4D]))
        body.insert(at, (code, draw(far), draw(far), draw(WORDS)))
    return [*((0x02, 0, 0, cell) for cell in range(16)), *body, (0x16, 0, 0, 0)]


def packed(program) -> bytes:
    return b"".join(struct.pack("=HBBI", *one) for one in program)


@given(programs(), st.binary(min_size=1, max_size=24), st.integers(0, 3))
def test_programs_do_what_libpcap_makes_of_them(program, data, more):
    header = cypcap.Pkthdr(0, len(data), len(data) + more)
    capture = pcap([records([data])[0]._replace(wire_length=len(data) + more)])
    kept = rows(capture, where=lambda link_type, swapped: packed(program), columns=["packet"])
    assert bool(kept) == bool(cypcap.BpfProgram(program).offline_filter(header, data))


@pytest.mark.parametrize(
    "program",
    [
        [],
        [(0x28, 0, 0, 12)],  # no return at the end
        [(0x05, 0, 0, 1), (0x06, 0, 0, 1)],  # a jump to where nothing is
        [(0x05, 0, 0, 0xFFFFFFFE), (0x06, 0, 0, 1)],  # ... before the first instruction
        [(0x15, 0, 1, 0), (0x06, 0, 0, 1)],
        [(0x60, 0, 0, 16), (0x06, 0, 0, 1)],  # past the memory
        [(0x02, 0, 0, 16), (0x06, 0, 0, 1)],
        [(0x34, 0, 0, 0), (0x06, 0, 0, 1)],  # a division by zero
        [(0xFF, 0, 0, 0), (0x06, 0, 0, 1)],  # an unknown instruction
    ],
)
def test_a_program_that_could_run_astray_is_refused(program):
    with pytest.raises(ValueError, match="filter program"):
        scan(CAPTURE, where=lambda link_type, swapped: packed(program))


def test_a_program_that_would_run_for_ever_refuses_the_record():
    forever = [(0x00, 0, 0, 0), (0x05, 0, 0, 0xFFFFFFFE), (0x06, 0, 0, 1)]
    assert rows(CAPTURE, where=lambda link_type, swapped: packed(forever)) == []
