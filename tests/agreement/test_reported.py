"""Situations that users of other programs reported, each a small capture of the corpus, read as its README says.

The corpus is not part of the project: `crafted` names the test that builds the same situation, and runs everywhere.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import fluxcap
from delivered_directory import demuxed
from fluxcap.values import text
from real_captures import CORPUS, FOLDER, needs_corpus

REPORTED = CORPUS / "reported"
TESTS = Path(__file__).parents[1]
Right = Callable[[list[Path], Path], None]  # the files of a situation, and an empty directory


class Situation(NamedTuple):
    files: tuple[str, ...]
    crafted: str
    right: Right


SITUATIONS: list[Situation] = []


def situation(*files: str, crafted: str) -> Callable[[Right], Right]:
    """Enter a function that asserts what is right of these files."""

    def enter(right: Right) -> Right:
        SITUATIONS.append(Situation(files, crafted, right))
        return right

    return enter


def connections(path: Path, *columns: str) -> list[tuple[Any, ...]]:
    table = fluxcap.read_connections(path)
    return list(zip(*(text.cells(name, table[name]) for name in columns), strict=True))


def packets(path: Path, *columns: str, **options: Any) -> list[tuple[Any, ...]]:
    table = fluxcap.read_packets(path, **options)
    return list(zip(*(text.cells(name, table[name]) for name in columns), strict=True))


def delivered(path: Path, directory: Path) -> list[tuple[int, int]]:
    """Of each stream: how many bytes were delivered, and how many are missing."""
    return [(stream["octets"], stream["gap_octets"]) for stream in demuxed(path, directory).streams]


@situation(
    *("t01_near_ahead_after.pcap", "t01_near_behind_after.pcap", "t01_near_ahead_mid.pcap"),
    crafted="test_a_stream_has_all_octets_of_its_connection_and_says_what_was_refused",
)
def a_second_initial_number_is_believed_when_it_is_acknowledged(files: list[Path], directory: Path) -> None:
    for place, path in enumerate(files):
        assert connections(path, "src_port", "state", "gap_bytes", "reverse_gap_bytes") == [("40000", "SF", "0", "0")]
        assert delivered(path, directory / str(place)) == [(100, 0), (1500, 0)]


@situation("t16_stray_syn.pcap", crafted="test_a_stream_has_all_octets_of_its_connection_and_says_what_was_refused")
def a_stray_syn_changes_nothing(files: list[Path], directory: Path) -> None:
    assert connections(files[0], "src_port", "state", "payload_bytes", "reverse_payload_bytes") == [
        ("40000", "S1", "150", "1500")
    ]
    assert delivered(files[0], directory) == [(150, 0), (1500, 0)]


@situation("t17_wild_seq.pcap", crafted="test_a_connection_is_what_its_acknowledged_segments_say")
def a_wild_sequence_number_makes_nothing_a_retransmission(files: list[Path], directory: Path) -> None:
    assert connections(files[0], "retransmitted", "reverse_retransmitted") == [("0", "0")]


@situation("t13_tfo.pcap", crafted="test_a_connection_is_what_its_acknowledged_segments_say")
def data_on_a_syn_is_no_retransmission(files: list[Path], directory: Path) -> None:
    ((history, *again),) = connections(files[0], "history", "retransmitted", "reverse_retransmitted")
    assert "T" not in history.upper()
    assert again == ["0", "0"]
    assert delivered(files[0], directory) == [(18, 0), (17, 0)]


@situation("t05_keepalive.pcap", crafted="test_a_connection_is_what_its_acknowledged_segments_say")
def a_keep_alive_is_no_retransmission(files: list[Path], directory: Path) -> None:
    ((history, again, kept),) = connections(files[0], "history", "retransmitted", "keep_alives")
    assert ("T" in history.upper(), again) == (False, "0")
    assert sum(stream["keep_alives"] for stream in demuxed(files[0], directory).streams) == int(kept) > 0


@situation("m05_active_timeout.pcap", crafted="test_the_originator_stays_who_sent_the_syn_after_an_active_timeout")
def the_originator_stays_who_sent_the_syn(files: list[Path], directory: Path) -> None:
    table = fluxcap.read_connections(files[0], active_timeout="10s")
    assert len(table) > 1
    assert set(table["src_port"].tolist()) == {51000}


@situation(
    "4-half-open-recovery.pcap",
    "9-refused-then-accepted.pcap",
    crafted="test_a_stream_has_all_octets_of_its_connection_and_says_what_was_refused",
)
def an_attempt_that_comes_again_is_a_connection(files: list[Path], directory: Path) -> None:
    for place, path in enumerate(files):
        assert connections(path, "state", "gap_bytes", "reverse_gap_bytes")[-1] == ("SF", "0", "0")
        assert delivered(path, directory / str(place))[-2:] == [(300, 0), (500, 0)]


@situation("6-gap-over-2-30.pcap", crafted="test_a_stream_has_all_octets_of_its_connection_and_says_what_was_refused")
def a_gap_that_was_acknowledged_is_counted(files: list[Path], directory: Path) -> None:
    assert connections(files[0], "reverse_gap_bytes") == [(str(3 * 2**29),)]
    assert delivered(files[0], directory) == [(0, 0), (200, 3 * 2**29)]


@situation(
    "7-six-holes-filled.pcap", crafted="test_a_stream_has_all_octets_of_its_connection_and_says_what_was_refused"
)
def holes_that_fill_are_reordering(files: list[Path], directory: Path) -> None:
    assert connections(files[0], "reverse_retransmitted", "reverse_out_of_order") == [("0", "6")]
    assert delivered(files[0], directory) == [(0, 0), (1200, 0)]


@situation("t04_span_dup.pcap", crafted="test_a_connection_is_what_its_acknowledged_segments_say")
def a_packet_that_a_mirror_port_shows_twice_is_delivered_once(files: list[Path], directory: Path) -> None:
    assert delivered(files[0], directory) == [(10, 0), (700, 0)]


@situation(
    "w01_windows_lso.pcap", crafted="test_a_segment_that_the_card_was_to_cut_up_gets_its_checksum_and_its_length"
)
def a_sum_without_its_length_is_partial(files: list[Path], directory: Path) -> None:
    report = fluxcap.read_checksums(files[0])
    assert len(report.bad) == 0
    assert "Segmentation offload" in report.offload
    assert max(delivered(files[0], directory / "before")) == (40100, 0)
    repaired = directory / "repaired.pcap"
    fluxcap.repair(files[0], repaired)
    assert set(packets(repaired, "verdict", "ip_verdict")) == {("good", "good")}


@situation("n06_null.pcap", crafted="test_the_addresses_ports_and_payload_of_a_datagram_are_found_under_every_header")
def a_null_header_with_an_ethertype_is_read(files: list[Path], directory: Path) -> None:
    assert {row[0] for row in packets(files[0], "ip_version")} == {"4", "6"}


@situation("n04_eompls.pcap", crafted="test_a_tunnel_is_descended_to_the_innermost_packet")
def ethernet_over_mpls_invents_no_addresses(files: list[Path], directory: Path) -> None:
    assert set(packets(files[0], "src_ip", "dst_ip")) == {
        ("198.51.100.1", "198.51.100.2"),
        ("192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::2"),
    }


@situation("n02_vlan_one_way.pcap", "m11_mpls_vlan_where.pcap", crafted="test_every_command_hints_once")
def a_filter_says_what_it_did_not_see(files: list[Path], directory: Path) -> None:
    one_way, layers = files
    assert len(fluxcap.read_flows(one_way)) == 1
    for path, seen, all_of_it in ((one_way, 2, 4), (layers, 1, 4)):  # libpcap looks behind no extension header of IPv6
        outside = fluxcap.read_packets(path, where="udp port 53")
        assert len(outside) == seen
        assert any("refused" in hint and "--inner" in hint for hint in outside.metadata["hints"])
        assert len(fluxcap.read_packets(path, where="udp port 53", inner=True)) == all_of_it


@situation(
    "g07_any_k8s.pcap", crafted="test_the_addresses_ports_and_payload_of_a_datagram_are_found_under_every_header"
)
def interfaces_of_any_are_told_apart(files: list[Path], directory: Path) -> None:
    assert [row[0] for row in packets(files[0], "interface")] == ["7", "3", "2", "9", "1"]


@situation(
    *("m01_vxlan8472.pcap", "m02_tzsp.pcap", "m03_l2tp.pcap"),
    crafted="test_a_tunnel_is_descended_to_the_innermost_packet",
)
def tunnels_show_the_flow_inside(files: list[Path], directory: Path) -> None:
    inside = ("198.51.100.1", "1000", "198.51.100.2", "53")
    for path in files:
        assert set(packets(path, "src_ip", "src_port", "dst_ip", "dst_port")) == {inside}


@situation("1-pppoe-one-octet-protocol.pcap", crafted="test_a_tunnel_is_descended_to_the_innermost_packet")
def a_ppp_protocol_of_one_byte_is_read(files: list[Path], directory: Path) -> None:
    assert packets(files[0], "src_ip", "src_port", "verdict") == [("10.0.0.1", "4000", "good")]


@situation(
    "2-vlan-of-a-frame-in-a-frame.pcap",
    crafted="test_the_vlan_is_that_of_the_frame_which_carries_the_innermost_packet",
)
def the_vlan_is_that_of_the_innermost_frame(files: list[Path], directory: Path) -> None:
    assert [row[0] for row in packets(files[0], "vlan")][1:] == ["200", "610"]


@situation("3-tunnel-behind-the-udp-length.pcap", crafted="test_what_lies_behind_the_udp_length_is_not_in_the_tunnel")
def nothing_is_read_behind_the_udp_length(files: list[Path], directory: Path) -> None:
    assert {row[0] for row in packets(files[0], "src_ip")} == {"10.0.0.1"}


@situation("5-121-fragments.pcap", crafted="test_a_complete_datagram_leaves_its_identification_to_the_next_one")
def a_datagram_of_many_fragments_leaves_its_identification(files: list[Path], directory: Path) -> None:
    rows = packets(files[0], "src_port", "dst_port", "verdict")
    assert [row for row in rows if row[2] == "good"] == [("1111", "2222", "good"), ("3333", "4444", "good")]
    assert rows[:121] == [("1111", "2222", "fragment")] * 120 + [("1111", "2222", "good")]
    assert {row[:2] for row in rows[121:]} == {("3333", "4444")}


@situation(
    *("b-demux-uaf.cap", "b-demux-uaf-corrupts.pcap"),
    crafted="test_a_tunnel_in_a_tunnel_may_be_in_pieces_at_both_depths",
)
def a_fragment_in_a_tunnel_in_a_datagram_is_safe(files: list[Path], directory: Path) -> None:
    """What freed memory holds would differ between two ways of filling it."""
    command = (sys.executable, "-m", "fluxcap", "demux", "--quiet")
    for path in files:
        seen = set()
        for fill in ("0", "165"):
            out = directory / f"{path.name}-{fill}"
            done = subprocess.run(
                (*command, "-o", out, path), env={**_environment(), "MALLOC_PERTURB_": fill}, capture_output=True
            )
            assert done.returncode == 0, done.stderr
            seen.add(tuple((one.name, one.read_bytes()) for one in sorted(out.iterdir())))
        assert len(seen) == 1


@situation(
    "b-fragments-nondeterministic.pcap", crafted="test_every_reading_of_more_than_can_be_under_way_gives_the_same_table"
)
def every_reading_gives_the_same_table(files: list[Path], directory: Path) -> None:
    columns = ("src_ip", "src_port", "dst_port", "verdict", "disposition")
    assert len({tuple(packets(files[0], *columns)) for _ in range(10)}) == 1


@situation("b-fragments-across-depths.pcap", crafted="test_fragments_are_matched_within_their_tunnel_depth")
def fragments_are_matched_within_a_depth(files: list[Path], directory: Path) -> None:
    rows = packets(files[0], "depth", "verdict", "disposition")
    assert "good" not in {verdict for _, verdict, _ in rows}


@situation("b-merge-1.pcap", "b-merge-2.pcap", crafted="test_tables_that_cannot_be_merged_exactly_are_refused")
def tables_whose_merge_depends_on_the_order_of_time_are_refused(files: list[Path], directory: Path) -> None:
    with pytest.raises(ValueError, match="time goes back between these tables"):
        fluxcap.merge([fluxcap.read_flows(path) for path in files])


@situation("b-interface-names.pcapng", crafted="test_tsv_cells_that_a_spreadsheet_would_run_get_an_apostrophe")
def names_that_a_spreadsheet_would_run_are_escaped(files: list[Path], directory: Path) -> None:
    for form in ("csv", "tsv"):
        command = (sys.executable, "-m", "fluxcap", "info", "--format", form, files[0])
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=True)
        cells = re.split(r"[\t,\n]", done.stdout)
        assert len([cell for cell in cells if cell.lstrip("\"'").startswith(("=", "+", "@"))]) > 2
        assert not [cell for cell in cells if cell.lstrip('"').startswith(("=", "+", "@"))]


@situation("b-interval-wraps.pcapng", crafted="test_an_interval_near_the_ends_of_time_does_not_wrap_around")
def an_interval_does_not_wrap(files: list[Path], directory: Path) -> None:
    table = fluxcap.read_flows(files[0], interval="1h")
    assert table["interval"][0] <= table["first"][0]


@situation(
    "f01_multi_if.pcapng", crafted="test_a_link_type_that_cannot_have_the_filter_loses_its_records_and_not_the_file"
)
def a_filter_is_compiled_for_each_link_type(files: list[Path], directory: Path) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        table = fluxcap.read_packets(files[0], where="vlan or udp port 53")
    assert table.metadata["packets"] == 6
    assert {str(one.message)[-30:] for one in said if "no VLAN support" in str(one.message)}


@situation("f06_times.pcapng", crafted="test_each_record_has_its_time_or_none")
def times_out_of_range_are_null_and_told(files: list[Path], directory: Path) -> None:
    rows = [row[0] for row in packets(files[0], "time")]
    assert rows[:2] + rows[3:4] == ["", "", ""]
    assert rows[4] == "2023-11-14T22:13:20.123456789Z"


@situation("f07_blocks.pcapng", crafted="test_each_record_has_its_time_or_none")
def a_simple_packet_block_has_no_time(files: list[Path], directory: Path) -> None:
    assert [bool(row[0]) for row in packets(files[0], "time")] == [True, False, False, True]
    assert fluxcap.read_info(files[0]).to_dict()["first"] > 10**18


@situation("f08_corrupt_mid.pcap", crafted="test_on_request_damage_raises_with_the_table_on_the_exception")
def the_place_of_a_destroyed_record_is_named(files: list[Path], directory: Path) -> None:
    with pytest.raises(fluxcap.CaptureError, match="byte 161, after packet 2"):
        fluxcap.read_packets(files[0], on_damage="raise")


def read_to_damage(path: Path) -> tuple[int, list[tuple[int, int, str]]]:
    """How many packets were read, and after which of them, at which byte, what was wrong."""
    with pytest.warns(fluxcap.DamagedCaptureWarning):
        metadata = fluxcap.read_packets(path).metadata
    return metadata["packets"], [(one.packet, one.offset, one.reason) for one in metadata["damage"]]


@situation(
    *("f04_cat.pcap", "f04_cat.pcap.gz"),
    crafted="test_a_capture_behind_another_is_read_on_whatever_its_kind_but_snoop",
)
def a_capture_behind_another_is_read_on(files: list[Path], directory: Path) -> None:
    for path in files:
        metadata = fluxcap.read_packets(path).metadata
        assert (metadata["packets"], metadata["damage"]) == (5 + 7, [])
        assert [(one.captures, one.packet, one.offset) for one in metadata["joined"]] == [(2, 5, 374)]


@situation("f04_trail0.pcap", crafted="test_zeros_behind_the_records_of_a_pcap_are_none")
def zeros_at_the_end_are_said_once(files: list[Path], directory: Path) -> None:
    assert read_to_damage(files[0]) == (5, [(5, 374, "zeros where a record should begin")])


@situation(
    "f05_ns_in_us_magic.pcap",
    crafted="test_nanoseconds_that_an_input_calls_microseconds_are_said_once",
)
def nanoseconds_as_microseconds_are_said(files: list[Path], directory: Path) -> None:
    with pytest.warns(UserWarning, match="in 5 of 6 records of .*f05_ns_in_us_magic.pcap: probably nanoseconds"):
        fluxcap.read_flows(files[0])


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(fluxcap.__file__).parents[1])}


@needs_corpus
@pytest.mark.filterwarnings("ignore::fluxcap.errors.OutOfOrderWarning")
@pytest.mark.parametrize("one", SITUATIONS, ids=lambda one: one.right.__name__)
def test_a_reported_situation_is_read_as_is_right(one, tmp_path):
    one.right([REPORTED / name for name in one.files], tmp_path)


@needs_corpus
def test_every_reported_capture_is_in_the_table():
    there = {path.name for path in REPORTED.iterdir()} if FOLDER else set()
    assert {name for one in SITUATIONS for name in one.files} == there - {"README.md"}


def test_each_situation_has_a_crafted_one_that_runs_without_the_corpus():
    tests = "\n".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    assert not [one.crafted for one in SITUATIONS if f"def {one.crafted}(" not in tests]
