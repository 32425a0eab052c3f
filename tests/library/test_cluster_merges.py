"""What groups of inputs have found adds up: in any grouping, with nothing for an empty one, in the order of inputs."""

import pickle
import resource

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fluxcap
import strategies as drawn
from capture_files import pcap, records
from fluxcap.capture.inputs import expand
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.tables.flows import FlowTable

pytest.importorskip("distributed")
from fluxcap.cluster import reports, timelines
from fluxcap.cluster.part import Work
from fluxcap.reports import checksums, info

pytestmark = pytest.mark.filterwarnings("ignore")
FRAMES = st.one_of(drawn.dialogue_frames, drawn.icmp_errors, drawn.simple_frames, drawn.tunnelled_frames)
LISTED = 2


class Info:
    """Descriptions of captures."""

    @staticmethod
    def part(capture):
        return fluxcap.read_info(capture)

    together = staticmethod(info.together)

    @staticmethod
    def told(made):
        return {name: value for name, value in made.to_dict().items() if name != "inputs"}


class Checksums:
    """What is found of checksums."""

    @staticmethod
    def part(capture):
        return reports.judge(expand(capture), ReadOptions(), False, LISTED).found

    @staticmethod
    def together(several):
        return reports.together(several, checksums.kept(LISTED))

    @staticmethod
    def told(made):
        made = checksums.report_on(made, LISTED).to_dict()
        for row in made["bad"]:  # empty inputs count
            del row["file"]
        return {name: value for name, value in made.items() if name not in ("metadata", "hints")}


class Timelines:
    """Sums by interval, without flows that cross."""

    @staticmethod
    def part(capture):
        work = Work(FlowPlan(connections=True), ReadOptions(), FlowTable, False)
        return timelines.count_part(expand(capture), work, timelines.Counts(100_000, "protocol")).sums

    @staticmethod
    def together(several):
        return timelines._together(several, [])

    @staticmethod
    def told(made):
        made = timelines._together([made], [])  # cells in order
        return [column.tolist() for column in (*made.cells, *made.trips)]


KINDS = pytest.mark.parametrize("kind", [Info, Checksums, Timelines], ids=lambda kind: kind.__name__.lower())
CAPTURES = st.lists(drawn.captures(FRAMES), min_size=3, max_size=3)


@KINDS
@settings(max_examples=25)
@given(captures=CAPTURES)
def test_any_grouping_makes_the_same(kind, captures):
    first, second, third = map(kind.part, captures)
    left = kind.together([kind.together([first, second]), third])
    right = kind.together([first, kind.together([second, third])])
    assert kind.told(left) == kind.told(right) == kind.told(kind.together([first, second, third]))


@KINDS
@settings(max_examples=25)
@given(capture=drawn.captures(FRAMES))
def test_an_empty_part_adds_nothing(kind, capture):
    part, empty = kind.part(capture), kind.part(pcap([]))
    alone = kind.told(kind.together([part]))
    assert kind.told(kind.together([part, empty])) == kind.told(kind.together([empty, part])) == alone


@settings(max_examples=25)
@given(captures=CAPTURES)
def test_the_reports_of_parts_make_that_of_the_whole(captures):
    for kind in (Info, Checksums):
        assert kind.told(kind.together(list(map(kind.part, captures)))) == kind.told(kind.part(captures))


def test_ten_thousand_tables_merge_in_the_memory_of_a_few():
    """Of 1,000 keys each, eight at a time, as the workers do it. All of them at once would take 2 GB."""
    frames = [fluxcap.segment(b"x", ("192.0.2.1", 1000 + port), ("192.0.2.2", 53)) for port in range(1000)]
    stored = pickle.dumps(fluxcap.read_flows(pcap(records(frames))))
    n = 10_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    levels: list[list[FlowTable]] = [[]]

    def add(table, level):
        if level == len(levels):
            levels.append([])
        levels[level].append(table)
        if len(levels[level]) == 8:
            add(fluxcap.merge(levels[level]), level + 1)
            levels[level] = []

    for _ in range(n):
        add(pickle.loads(stored), 0)
    whole = fluxcap.merge([table for level in reversed(levels) for table in level])
    assert (len(whole), np.unique(whole["packets"]).tolist()) == (1000, [n])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB
