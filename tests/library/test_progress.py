"""A person who waits is told how far the readings are."""

import gzip
import time

import pytest

import fluxcap
from real_captures import SAMPLES

SESSION = SAMPLES / "session.pcap"


def told_while(read) -> list[tuple[int, int | None]]:
    told: list[tuple[int, int | None]] = []
    with fluxcap.progress(lambda octets, size: told.append((octets, size))):
        read()
    return told


@pytest.fixture
def inputs(tmp_path):
    packed = tmp_path / "session.pcap.gz"
    packed.write_bytes(gzip.compress(SESSION.read_bytes()))
    return [SESSION, packed]


@pytest.mark.parametrize("order", [None, "time"])
def test_at_the_end_all_bytes_are_read_as_they_are_stored(order, inputs):
    whole = sum(path.stat().st_size for path in inputs)
    assert told_while(lambda: fluxcap.read_flows(inputs, order=order))[-1] == (whole, whole)


def test_bytes_do_not_become_fewer_and_several_readings_add_up():
    def read() -> None:
        for _ in range(3):
            fluxcap.read_packets(SESSION)
            time.sleep(0.15)

    told = told_while(read)
    size = SESSION.stat().st_size
    assert told == sorted(told)
    assert len(told) > 3
    assert (told[0][1], told[-1]) == (size, (3 * size, 3 * size))


def test_an_input_whose_size_is_not_known_has_no_size(tmp_path):
    with SESSION.open("rb") as file:
        unsized = type("Unsized", (), {"read": lambda self, n=-1: file.read(n)})()
        told = told_while(lambda: fluxcap.read_flows(unsized))
    assert told[-1] == (SESSION.stat().st_size, None)


def test_what_the_report_raises_is_raised_behind_the_block():
    def fail(octets: int, size: int | None) -> None:
        raise LookupError("the bar is gone")

    tables = []

    def read() -> None:
        with fluxcap.progress(fail):
            time.sleep(0.3)
            tables.append(fluxcap.read_flows(SESSION))

    with pytest.raises(LookupError, match="the bar is gone"):
        read()
    assert len(tables[0])


def test_an_error_in_the_block_is_that_error():
    with pytest.raises(fluxcap.NotACaptureError), fluxcap.progress(lambda octets, size: None):
        fluxcap.read_flows(b"some text")
