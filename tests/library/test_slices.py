"""Packets over time in intervals whose length turns out while they are read: the same as a timeline of that length."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fluxcap
from capture_files import Record, rewrapped
from fluxcap.capture.inputs import expand
from fluxcap.capture.reading import Reading
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.tables.packets import packet_table
from fluxcap.tables.timeline import slices
from fluxcap.tables.timeline.counts import PACKET_COLUMNS
from strategies import dialogue_frames, odd_frames

bounded = settings(max_examples=100, deadline=None)
spans = st.integers(0, 63).flatmap(lambda bits: st.integers(0, (1 << bits) - 1))


@given(spans)
@example((1 << 64) - 1)
def test_an_interval_is_long_enough_and_not_much_longer(duration):
    length = slices.interval(duration)
    assert duration // length + 2 <= slices.SLICES
    assert length == slices.LEAST or duration // length >= (slices.SLICES - 2) // 3


@given(spans)
@example((1 << 64) - 1)
def test_the_interval_of_a_picture_is_a_multiple_of_the_one_to_count_by(duration):
    counted = next(length for length in slices.FINE if duration // length < slices.FINE_SLICES)
    assert slices.interval(duration) % counted == 0


def sliced(capture: bytes, rows: int) -> slices.Slices:
    """The packets of a capture, added so many rows at a time."""
    plan = FlowPlan(connections=True)
    reading = Reading(key=plan.spec(), columns=PACKET_COLUMNS, row_limit=rows)
    found = slices.Slices()
    for _ in reading.read(expand(capture)):
        found.add(packet_table(reading))
    found.add(packet_table(reading))
    return found


@pytest.mark.filterwarnings("ignore::fluxcap.errors.OutOfOrderWarning")
@pytest.mark.parametrize("by", ["protocol", "verdict"])
@bounded
@given(
    records=st.lists(st.builds(Record, st.one_of(dialogue_frames, odd_frames), spans, st.just(0)), max_size=12),
    rows=st.integers(1, 5),
)
def test_packets_over_time_are_those_of_the_timeline(by: str, records: list[Record], rows: int) -> None:
    capture = rewrapped(records)
    found = sliced(capture, rows).timeline(by, {})
    table = fluxcap.read_timeline(capture, f"{found.metadata['interval']}ns", by=by)
    for name in ("time", by, "packets", "bytes", "ip_bad"):
        assert found[name].tolist() == table[name].tolist()
