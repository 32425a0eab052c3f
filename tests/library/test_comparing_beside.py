"""Two captures are compared by a thread beside the one that reads them: what happens when either of them stops."""

import sys
import threading

import numpy as np
import pytest

import fluxcap
from capture_files import pcap
from fluxcap.comparison import beside, reading
from fluxcap.comparison.beside import Beside
from threads_beside import threads_left
from two_points import Plan, two_points

MANY = Plan(seed=5, packets=20_000, flows=50, seconds=4.0, lost=0.02)


@pytest.fixture(scope="module")
def captures():
    return [pcap(records, ns=True) for records in two_points(MANY).records.values()]


def sums(comparison: fluxcap.Comparison) -> dict[str, int]:
    return {name: int(comparison.flows[name].sum()) for name in ("sent", "arrived", "lost")}


def too_many(work):
    raise RuntimeError("can't start new thread")


def test_where_there_are_too_many_threads_one_reads_and_compares(captures, monkeypatch):
    beside_each_other = fluxcap.read_comparison(*captures)
    monkeypatch.setattr(beside, "start", too_many)
    alone = fluxcap.read_comparison(*captures)
    assert sums(alone) == sums(beside_each_other)
    assert np.array_equal(alone.packets["a_packet"], beside_each_other.packets["a_packet"])


class Interrupted(Beside):
    """Ctrl-C comes while the reading thread waits for the other one."""

    at = 0  # the reading goes on before so many results

    def result(self):
        given = super().result()
        Interrupted.at -= 1
        if Interrupted.at == 0:
            raise KeyboardInterrupt  # before the result has come to whom it is for
        return given


@pytest.mark.parametrize("threads", [True, False])
@pytest.mark.parametrize("at", [1, 3, 8])
def test_ctrl_c_while_packets_are_compared_gives_what_was_read_where_that_is_asked_for(
    captures, monkeypatch, at, threads
):
    monkeypatch.setattr(reading, "Beside", Interrupted)
    if not threads:
        monkeypatch.setattr(beside, "start", too_many)
    Interrupted.at = at
    stopped = fluxcap.read_comparison(*captures, on_interrupt="return")
    assert stopped.metadata["interrupted"] is True
    told = sums(stopped)
    assert told["arrived"] + told["lost"] == told["sent"] <= sums(fluxcap.read_comparison(*captures))["sent"]


def test_ctrl_c_while_packets_are_compared_raises(captures, monkeypatch):
    monkeypatch.setattr(reading, "Beside", Interrupted)
    Interrupted.at = 3
    with pytest.raises(KeyboardInterrupt):
        fluxcap.read_comparison(*captures)


def test_damage_ends_the_thread_too(captures):
    with pytest.raises(fluxcap.CaptureError):
        fluxcap.read_comparison(captures[0], captures[1][:-5], on_damage="raise")
    assert threads_left() == 0


def test_the_thread_calls_in_turn_and_hands_on_what_is_raised():
    with_names = Beside(lambda n: (10 // n, threading.current_thread() is threading.main_thread()))
    with_names.ask(5)
    assert with_names.result() == (2, False)
    with_names.ask(0)
    with pytest.raises(ZeroDivisionError):
        with_names.result()
    with_names.ask(2)
    assert with_names.result() == (5, False)
    assert with_names.result() == (5, False)
    with_names.close()


def test_packets_that_are_taken_by_another_thread_are_those_of_a_single_one(captures):
    """Switching threads as often as Python can: what a thread reads never depends on how far the other one is."""
    expected = fluxcap.read_comparison(*captures, every=True).packets
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        found = fluxcap.read_comparison(*captures, every=True).packets
    finally:
        sys.setswitchinterval(interval)
    for name in ("way", "a_packet", "b_packet", "outcome", "delay"):
        assert np.array_equal(found[name], expected[name])
