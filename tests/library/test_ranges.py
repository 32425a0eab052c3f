"""One capture in ranges: the table is that of one process, wherever the capture is cut and whatever lies there."""

import gzip
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import builders as b
import fluxcap
import strategies as drawn
from capture_files import enhanced_packet, interface, pcap, pcapng, records, rewrapped, snoop
from capture_pieces import pieces
from fluxcap.capture.inputs import expand
from fluxcap.cluster import apart, gathering, ranges, sums
from fluxcap.cluster.part import Work
from fluxcap.cluster.sharing import Sharing
from fluxcap.plan import keys
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.tables.flows import FlowTable
from workers_here import workers_here

distributed = pytest.importorskip("distributed")
from fluxcap import cluster  # noqa: E402 (its public names need no package, only their calls)

SAMPLES = Path(__file__).parents[2] / "samples"
OF_READING = ("late", "hints", "files")  # what is known of each range alone, or not by one process
SECOND = 10**9

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def any_size(monkeypatch):
    monkeypatch.setattr("fluxcap.plan.sizes.LEAST", 1)
    monkeypatch.setattr(ranges, "LEAST", 1)


@contextmanager
def cut(places, guesses=None):
    """Inputs are cut at these places. `guesses` are added to them where the next record is looked for."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")

        def groups_of(src, size, ranges_too):
            item, *others = expand(src)
            headers = ranges.headers_of(item)
            return [[one] for one in (*(ranges.cut_at(item, headers, places) if headers else [item]), *others)]

        patch.setattr(gathering, "groups_of", groups_of)
        patch.setattr(gathering, "workers", workers_here)
        if guesses is not None:
            there = iter(guesses)
            known = {}
            patch.setattr(
                ranges, "_next_record", lambda source, finder, at, size: known.setdefault(at, at + next(there, 0))
            )
        yield


def in_ranges(src, plan=None, **options):
    """Read captures as they are cut."""
    return sums.collect_sums(src, Work(plan or FlowPlan(), ReadOptions(**options), FlowTable, True), Sharing())


def whole(src, plan=None, **options):
    """Read captures by one process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fluxcap.tables.flows.collect_flows(src, plan or FlowPlan(), ReadOptions(**options), FlowTable)


def check(made, wanted):
    assert made == wanted
    for name, value in wanted.metadata.items():
        assert name in OF_READING or made.metadata[name] == value, name


# Wherever it is cut ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.pcap*")), ids=lambda path: path.name)
@pytest.mark.parametrize("parts", [2, 7])
def test_each_sample_in_ranges_is_what_it_is_as_a_whole(path, parts):
    size = path.stat().st_size
    with cut(range(size // parts + 1, size, size // parts + 1)):
        made = in_ranges(path)
    check(made, whole(path))
    (file,) = made.metadata["files"]
    assert (file["path"], file["size"], file["packets"]) == (str(path), size, made.metadata["packets"])


frames = st.one_of(
    drawn.dialogue_frames, drawn.icmp_errors, drawn.fragment_frames, drawn.simple_frames, drawn.tunnelled_frames
)
cuts = st.lists(st.floats(0, 1), max_size=6)
plans = st.builds(
    lambda by, biflow: FlowPlan(keys.parse(by, biflow)),
    st.sampled_from(["5tuple", "ports", "hosts", "src_ip/24,dst_port", "protocol"]),
    st.booleans(),
)


def places(octets, shares):
    return sorted({int(share * len(octets)) for share in shares})


@settings(max_examples=200)
@given(octets=drawn.captures(frames), shares=cuts, plan=plans)
def test_any_cut_gives_the_table_of_one_reading(octets, shares, plan):
    with cut(places(octets, shares)):
        made = in_ranges(octets, plan)
    check(made, whole(octets, plan))


@settings(max_examples=200)
@given(octets=drawn.captures(frames), shares=cuts, guesses=st.lists(st.integers(0, 200), min_size=6, max_size=6))
def test_any_guess_where_a_record_begins_gives_the_table_of_one_reading(octets, shares, guesses):
    """Most of them are wrong, and some lie behind those of the next range."""
    with cut(places(octets, shares), guesses):
        made = in_ranges(octets)
    check(made, whole(octets))


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("wrapped", [pcap, rewrapped])
@pytest.mark.parametrize("shares", [[], [0.3, 0.6]])
def test_records_with_fragments_are_kept_when_they_are_read_and_not_read_again(compress, wrapped, shares, monkeypatch):
    ends = b.packed("192.0.2.1"), b.packed("192.0.2.2")
    frames = [
        b.ethernet(b.ipv4(piece, protocol=b.UDP, identification=port, offset=at, more=more))
        for port in range(1, 40)
        for at, more, piece in b.pieces(b.udp(bytes(100), port, 53).over(*ends), 64)
    ]
    octets = compress(wrapped(records(frames)))
    monkeypatch.setattr(apart, "_copied", lambda *told: pytest.fail("they are read again"))
    with cut(places(octets, shares)):
        made = in_ranges(octets)
    check(made, whole(octets))
    assert made["good"].sum() == 39


def test_flows_that_begin_with_fragments_behind_one_flow_are_in_the_order_of_these():
    """Also if the later one has a packet in one piece besides, and so a row before fragments are read."""
    first, second = (
        b.ethernet(b.ipv4(bytes(24), *ends, protocol=b.UDP, identification=7, more=True))
        for ends in (("192.0.2.9", "192.0.2.2"), ("192.0.2.1", "192.0.2.2"))
    )
    one_piece = b.ethernet(b.ipv4(b.udp(b"x", 0, 0), "192.0.2.1", "192.0.2.2"))
    octets = pcap(records([first, second, one_piece]))
    with cut([]):
        made = in_ranges(octets)
    check(made, whole(octets))
    assert made["src_ip"].tolist() == whole(octets)["src_ip"].tolist()


def test_more_flows_of_fragments_than_there_are_numbers_for_are_read_by_one_worker(monkeypatch):
    frames = [
        b.ethernet(b.ipv4(bytes(24), f"192.0.2.{host}", "198.51.100.1", protocol=b.UDP, more=True)) for host in range(5)
    ]
    octets = pcap(records(frames))
    monkeypatch.setattr(apart, "FLOW_BITS", 62)  # leaves three numbers behind one flow
    by_one = []
    monkeypatch.setattr(sums, "read_whole", lambda *told, read=sums.read_whole: by_one.append(1) or read(*told))
    with cut([]):
        check(in_ranges(octets), whole(octets))
    assert by_one == [1]


@settings(max_examples=100)
@given(octets=drawn.captures(frames), shares=cuts, others=st.lists(drawn.captures(frames), max_size=2))
def test_captures_behind_one_in_ranges_are_read_as_one_with_it(octets, shares, others):
    with cut(places(octets, shares)):
        made = in_ranges([octets, *others])
    check(made, whole([octets, *others]))
    assert len(made.metadata["files"]) == 1 + len(others)


@settings(max_examples=100)
@given(octets=drawn.captures(frames), shares=cuts, damage=st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=9)))
def test_damage_is_found_where_one_reading_finds_it(octets, shares, damage):
    begin = len(ranges.headers_of(*expand(octets)))
    assume(begin)  # else there is no record, and what it begins with would be damaged
    at = begin + int(damage[0] * (len(octets) - begin))
    octets = octets[:at] + damage[1] + octets[at + len(damage[1]) :]
    wanted, errors = whole(octets), []
    with cut(places(octets, shares)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathering, "warn", lambda warning: errors.append(str(warning)))
        made = in_ranges(octets)
    check(made, wanted)
    errors = [one for one in errors if one.startswith("<bytes>")]
    assert len(errors) == len(wanted.metadata["damage"])
    assert [one["error"] for one in made.metadata["files"] if one["error"]] == errors


# Whatever the format --------------------------------------------------------------------------------------------------

TALK = [b.ethernet(b.ipv4(b.udp(bytes([n]) * 40, 4000 + n % 7, 53))) for n in range(60)]


def captured(byteorder="little", **options):
    return pcap(records(TALK, start=1_700_000_000 * SECOND), byteorder=byteorder, **options)


def blocks(n, number=0):
    return [enhanced_packet(one.data, one.time // 1000, number) for one in records(TALK[:n])]


@pytest.mark.parametrize(
    ("octets", "n"),
    [
        (captured(), 5),
        (captured(byteorder="big"), 5),
        (captured(ns=True), 5),
        (captured(byteorder="big", ns=True), 5),
        (captured(modified=True), 5),
        (pcapng(interface(), *blocks(60)), 5),
        (pcapng(interface(), interface(113), *blocks(30), *blocks(30, 1), byteorder="big"), 5),
        (pcapng(interface(), *blocks(30), interface(), *blocks(30, 1)), 3),  # described in the third range
        (pcapng(interface(), *blocks(30)) + pcapng(interface(), *blocks(30), byteorder="big"), 3),
        (captured() + captured(), 3),  # joined
        (snoop(records(TALK)), 1),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_what_changes_the_reading_of_what_follows_is_read_with_it(octets, n, tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(octets)
    made = cluster.read_flows(path, task_bytes=len(octets) // 5 + 1)
    check(made, whole(path))
    assert [one["ranges"] for one in made.metadata["files"]] == [n]


def test_compressed_captures_and_plans_with_state_are_not_cut(tmp_path):
    gzip = pytest.importorskip("gzip")
    path = tmp_path / "capture"
    path.write_bytes(captured())
    (tmp_path / "compressed").write_bytes(gzip.compress(captured()))
    for name, options in [
        ("compressed", {}),
        *(("capture", one) for one in ({"idle_timeout": "1s"}, {"active_timeout": "1s"}, {"interval": "1s"},
                                       {"features": True}, {"activity": True}, {"splt": 1}, {"payload": 1},
                                       {"end": "tcp"}, {"semantics": "zeek"}, {"semantics": "cicflowmeter"})),
    ]:  # fmt: skip
        made = cluster.read_flows(tmp_path / name, task_bytes=1000, **options)
        assert made == fluxcap.read_flows(path, **options)
        assert [one["ranges"] for one in made.metadata["files"]] == [1], options


def test_two_processes_read_one_capture():
    path = SAMPLES / "session.pcap"
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local,
        distributed.Client(local) as two,
    ):
        made = cluster.read_flows(path, client=two, task_bytes=path.stat().st_size // 9)
    check(made, whole(path))
    (file,) = made.metadata["files"]
    assert (file["ranges"], len(file["worker"].split())) == (9, 2)


def test_a_late_record_has_its_number_in_the_capture():
    late = records(TALK)
    late[50] = late[50]._replace(time=late[48].time)
    octets = pcap(late)
    with cut([len(octets) // 2]):
        made = in_ranges(octets)
    assert made.metadata["late"] == whole(octets).metadata["late"]
    assert made.metadata["late"].packet == 51


def test_directions_are_those_of_the_first_record_also_where_time_goes_back():
    """The later half of a dialogue stands first, and begins with the answer."""
    ask = b.ethernet(b.ipv4(b.udp(b"?", 4000, 53), "192.0.2.1", "192.0.2.2"))
    answer = b.ethernet(b.ipv4(b.udp(b"!", 53, 4000), "192.0.2.2", "192.0.2.1"))
    octets = pcap([*records([answer, ask], start=9 * SECOND), *records([ask, answer, ask], start=SECOND)])
    at = sum(len(one) for _, one in list(pieces(octets))[:3])
    with cut([at]):
        made = in_ranges(octets)
    check(made, whole(octets))
    assert (made["src_port"].tolist(), made["packets"].tolist(), made["reverse_packets"].tolist()) == ([53], [2], [3])
    assert made.metadata["files"][0]["ranges"] == 2


# Fragments ------------------------------------------------------------------------------------------------------------


def datagram(number, order):
    """The frames of a datagram in two fragments, of which the second comes first where `order` says so."""
    payload = b.udp(bytes([number]) * 40, 5000 + number, 53).over(b.packed("192.0.2.1"), b.packed("192.0.2.2"))
    two = [
        b.ethernet(b.ipv4(payload[:24], protocol=17, identification=number, more=True)),
        b.ethernet(b.ipv4(payload[24:], protocol=17, identification=number, offset=24)),
    ]
    return two[::order]


@pytest.mark.parametrize("order", [1, -1], ids=["first first", "last first"])
@pytest.mark.parametrize("at", range(1, 9))
def test_a_datagram_on_both_sides_of_a_seam_has_one_verdict(order, at):
    first, second = datagram(7, order)
    frames = [TALK[0], first, TALK[1], TALK[2], *datagram(7, order), second, TALK[3]]
    octets = pcap(records(frames))
    with cut([sum(len(one) for _, one in list(pieces(octets))[:at])]):
        made = in_ranges(octets)
    wanted = whole(octets)
    check(made, wanted)
    assert wanted.filter(wanted["src_port"] == 5007)["good"].tolist() == [1]  # the pieces around it come again


def test_what_fragments_alone_do_not_tell_is_read_by_one_worker(monkeypatch):
    """How long one waits for the first one depends on all records meanwhile."""
    read, said = sums.read_whole, []
    monkeypatch.setattr(sums, "read_whole", lambda *given: said.append(given) or read(*given))
    last, first = datagram(7, -1)
    octets = pcap(records([TALK[0], last, *TALK[:20], first, TALK[1]]))
    for most, times in ((apart.WAIT_MAX, 0), (5, 1)):
        monkeypatch.setattr(apart, "WAIT_MAX", most)
        with cut([len(octets) // 2]):
            check(in_ranges(octets), whole(octets))
        assert len(said) == times


# Ranges that do not arrive --------------------------------------------------------------------------------------------


def test_after_ctrl_c_an_input_ends_with_the_ranges_that_are_proved():
    (item,) = expand(captured())
    groups = [[one] for one in ranges.cut_at(item, ranges.headers_of(item), range(1000, item.size, 1000))]
    reads = [ranges.Read(ranges.range_of(one).begin, ranges.range_of(one).end, 3, True) for one in groups]
    for missing in range(len(groups)):
        left = [place for place in range(len(groups)) if place != missing]
        begun = ranges.Begun([groups[place] for place in left], left)
        assert ranges.mended(begun, [reads[place] for place in left], None).parts == list(range(missing))
    reads[2] = reads[2]._replace(arrived=False)
    read: Any = ranges.range_of  # a range stands for what is read of it
    again = ranges.mended(ranges.Begun(groups, list(range(len(groups)))), reads, read)
    assert again.parts == [0, 1, ranges.Range(item, ranges.headers_of(item), reads[2].begin, None, 6)]
