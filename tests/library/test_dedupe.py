"""Tables, and captures, without the copies of packets."""

import pytest

import fluxcap
from altered_captures import records_of
from capture_files import pcap
from fluxcap._core import REASONS, Scanner
from fluxcap.capture.inputs import expand
from fluxcap.plan.read_options import COPY_WINDOW, COPY_WINDOW_MAX, DEFAULT
from fluxcap.reports.copies import FEWEST, counted, sampled
from real_captures import SAMPLES
from shown_twice import IPV4, IPV6, WAYS, doubled

US, MS = 1_000, 1_000_000
# A capture of IPv4 and IPv6: what is no IP packet has no TTL, and is another record in a tunnel.
SESSION = [one for one in records_of(SAMPLES / "session.pcap") if one.data[12:14] in (IPV4, IPV6)]
ONCE = pcap(SESSION, ns=True)
DELAYS = {"exact": 50 * US, "other_vlan": 5 * MS, "routed": 5 * MS, "other_tunnel": 5 * MS}
READERS = [
    fluxcap.read_flows,
    fluxcap.read_connections,
    fluxcap.read_sockets,
    fluxcap.read_hosts,
    lambda src, **options: fluxcap.read_timeline(src, "1s", **options),
]


def twice(way: str) -> bytes:
    return pcap(doubled(SESSION, way, DELAYS[way]), ns=True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("read", READERS)
def test_a_capture_that_shows_each_packet_twice_gives_the_tables_of_one_that_does_not(read, way):
    found, expected = read(twice(way), dedupe=True), read(ONCE)
    assert found == expected
    records, octets = found.metadata["ledger"]["duplicate"]
    assert (records, octets > 0) == (len(SESSION), True)


@pytest.mark.parametrize("way", WAYS)
def test_checksums_of_copies_are_not_counted(way):
    assert fluxcap.read_checksums(twice(way), dedupe=True).verdicts == fluxcap.read_checksums(ONCE).verdicts


def test_rows_of_packets_have_no_copies():
    columns = "src_ip,src_port,tcp_seq,ip_id,payload_length"
    assert fluxcap.read_packets(twice("exact"), columns=columns, dedupe=True) == fluxcap.read_packets(
        ONCE, columns=columns
    )
    scan = fluxcap.scan_packets(twice("exact"), columns=columns, batch_size=7, dedupe=True)
    assert sum(map(len, scan)) == len(SESSION)


def test_sockets_are_handed_what_came_once(tmp_path):
    fluxcap.demux(twice("other_vlan"), tmp_path / "twice", dedupe=True)
    fluxcap.demux(ONCE, tmp_path / "once")
    for file in (tmp_path / "once").iterdir():
        if file.suffix != ".ndjson":  # these number records
            assert (tmp_path / "twice" / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("way", WAYS)
def test_dedupe_writes_the_capture_without_them_byte_for_byte(way, tmp_path):
    done = fluxcap.dedupe(twice(way), tmp_path / "once.pcap")
    assert (done.packets, done.copies, done.kinds) == (2 * len(SESSION), len(SESSION), {way: len(SESSION)})
    assert (tmp_path / "once.pcap").read_bytes() == ONCE


def test_the_window_says_how_late_a_copy_comes(tmp_path):
    capture = pcap(doubled(SESSION, "routed", 60 * MS), ns=True)
    assert fluxcap.dedupe(capture, tmp_path / "one").copies == 0
    assert fluxcap.dedupe(capture, tmp_path / "two", window="60ms").copies == len(SESSION)
    assert fluxcap.read_flows(capture, dedupe=0.06) == fluxcap.read_flows(ONCE)


@pytest.mark.parametrize("dedupe", ["201ms", 1, 0.0, "soon"])
def test_a_window_that_is_none_is_refused(dedupe):
    with pytest.raises(ValueError, match="dedupe"):
        fluxcap.read_flows(ONCE, dedupe=dedupe)


def test_the_core_has_the_same_bounds():
    Scanner(dedupe=True, copy_window=COPY_WINDOW_MAX)
    with pytest.raises(ValueError, match=f"{COPY_WINDOW_MAX}"):
        Scanner(dedupe=True, copy_window=COPY_WINDOW_MAX + 1)
    assert COPY_WINDOW == "10ms"


def test_flows_are_extracted_without_their_copies(tmp_path):
    table = fluxcap.read_flows(twice("other_vlan"), dedupe=True)
    table.extract(range(len(table)), tmp_path / "all.pcap")
    assert fluxcap.read_flows(tmp_path / "all.pcap") == fluxcap.read_flows(ONCE)


def test_a_sample_says_how_many_copies_there_are(tmp_path):
    path = tmp_path / "twice.pcap"
    path.write_bytes(twice("routed"))
    found = sampled(expand(path)[0], DEFAULT)
    assert (found.records, found.kinds) == (2 * len(SESSION), {"routed": len(SESSION)})


def test_few_copies_are_not_worth_a_word():
    exact = REASONS.index("exact")
    assert not counted(bytes(50) + bytes([exact]) * (FEWEST - 1)).many
    assert counted(bytes(50) + bytes([exact]) * FEWEST).many
    assert not counted(bytes(20000 - FEWEST) + bytes([exact]) * FEWEST).many
