"""demux(form="pcap"): the records of each flow as a capture."""

import gzip

import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from capture_pieces import pieces
from command_line import error_lines
from command_line import fluxcap as command
from delivered_directory import lines
from real_captures import SAMPLES

HEADER = 16  # bytes, of a record
FRAGMENTS = SAMPLES / "fragments-out-of-order.pcap"
OF_FLOW = [[1, 2, 3], [4, 5, 6], [7, 8]]  # packet numbers of each flow, from samples/README.md
HELLO = b.ipv4(b.udp(b"hello", 1, 2))


def data_of(capture):
    """The bytes of the packets of a pcap."""
    return [octets[HEADER:] for packet, octets in pieces(capture) if packet]


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.pcap"))}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.mark.parametrize("packed", [False, True])
def test_each_flow_is_a_capture_of_its_records_fragments_and_all(packed, out, tmp_path):
    src = FRAGMENTS
    if packed:
        src = tmp_path / "packed"
        src.write_bytes(gzip.compress(FRAGMENTS.read_bytes()))
    done = fluxcap.demux(src, out, form="pcap")
    packets = data_of(FRAGMENTS.read_bytes())
    assert {name: data_of(octets) for name, octets in files(out).items()} == {
        f"flow-{number:06}.pcap": [packets[at - 1] for at in of] for number, of in enumerate(OF_FLOW, 1)
    }
    assert (done.flows, done.records) == (3, 8)


def test_times_and_lengths_stay_to_the_nanosecond(out):
    packets = [one.cut(40) for one in records([b.ethernet(HELLO)], 1_700_000_000_123_456_789)]
    fluxcap.demux(pcap(packets, ns=True), out, form="pcap")
    assert files(out) == {"flow-000001.pcap": pcap(packets, ns=True)}


def test_the_index_names_the_ends_of_each_flow_and_its_file(out):
    fluxcap.demux(SAMPLES / "sockets.pcapng", out, form="pcap")
    capture, *flows = lines(out / "index.ndjson")
    assert sum(one["packets"] + one["reverse_packets"] for one in flows) == capture["ledger"]["counted"]["records"]
    for one in flows:
        again = fluxcap.read_flows(out / one["file"])
        assert (len(again), again["packets"][0], again["reverse_packets"][0]) == (
            1,
            one["packets"],
            one["reverse_packets"],
        )


def test_records_of_another_link_type_have_a_file_of_their_own(out):
    one, other = pcap(records([HELLO]), 101), pcap(records([b.ethernet(HELLO)]), 1)
    fluxcap.demux([one, other, one], out, form="pcap")
    assert {name: data_of(octets) for name, octets in files(out).items()} == {
        "flow-000001.pcap": [bytes(HELLO)] * 2,
        "flow-000001-1.pcap": [bytes(b.ethernet(HELLO))],
    }


def test_records_larger_than_what_is_read_at_once_and_many_small_ones_come_through(out, monkeypatch):
    monkeypatch.setattr("fluxcap.rewrite.split.OCTETS_AT_ONCE", 100)
    monkeypatch.setattr("fluxcap.rewrite.split.ROWS_AT_ONCE", 7)
    frames = [bytes(b.ipv4(b.udp(bytes(number * 13 % 300), number % 5, 9))) for number in range(200)]
    fluxcap.demux(pcap(records(frames), 101), out, form="pcap")
    found = files(out)
    assert len(found) == 5
    for number in range(5):
        assert data_of(found[f"flow-{number + 1:06}.pcap"]) == frames[number::5]


def test_a_cut_capture_is_split_as_far_as_it_goes(out):
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        done = fluxcap.demux(pcap(records([HELLO, HELLO]), 101)[:-1], out, form="pcap")
    assert (done.records, len(lines(out / "index.ndjson"))) == (1, 2)


def test_what_can_be_read_only_once_is_refused(out):
    done = command("demux", "-", "-o", out, "--as", "pcap", stdin=pcap(records([HELLO]), 101))
    assert done.returncode == 2
    assert "read only once" in error_lines(done.stderr)[0]
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "what"), [({"form": "tar"}, "form is"), ({"form": "pcap", "keep_bad": True}, "keep_bad")]
)
def test_options_that_make_no_sense_are_refused(options, what, out):
    with pytest.raises(ValueError, match=what):
        fluxcap.demux(FRAGMENTS, out, **options)
    assert not out.exists()


def test_the_command_says_how_many(out):
    done = command("demux", FRAGMENTS, "-o", out, "--as", "pcap")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "hint: 8 records in 3 flows\n")
