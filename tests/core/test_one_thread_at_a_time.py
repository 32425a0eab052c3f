"""Objects that several threads use at once: each call waits for its turn or is refused, and nothing is corrupted."""

import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from fluxcap._core import ENDED, Scanner

FLOWS = 20_000  # enough that columns take milliseconds to make, and tables grow many times


def flood(first: int) -> bytes:
    """Records of flows of their own."""
    frames = [b.ethernet(b.ipv4(b.udp(b"", 1 + at % 60_000, 1 + at // 60_000))) for at in range(first, first + FLOWS)]
    return pcap(records(frames))[24:]


HEADER = pcap([])
FLOODS = [flood(at * FLOWS) for at in range(3)]


def together(*tasks: Callable[[], None]) -> list[BaseException]:
    """Run each function in a thread, and return their exceptions."""
    raised: list[BaseException] = []

    def guarded(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_a_result_may_be_asked_for_while_another_thread_feeds():
    flows = fluxcap.FlowAggregator()
    flows.feed(HEADER)
    done = threading.Event()
    found: list[int] = []

    def feed() -> None:
        try:
            for octets in FLOODS:
                for at in range(0, len(octets), 10_000):
                    flows.feed(octets[at : at + 10_000])
        finally:
            done.set()

    def ask() -> None:
        while not done.is_set():
            table = flows.result()
            assert int(table["packets"].sum()) == len(table) == table.metadata["packets"]
            found.append(len(table))

    assert together(feed, ask, ask) == []
    assert len(flows.result()) == FLOWS * len(FLOODS)
    assert all(0 <= n <= FLOWS * len(FLOODS) for n in found)


def test_pieces_that_two_threads_feed_are_all_counted():
    flows = fluxcap.FlowAggregator()
    flows.feed(HEADER)
    assert together(*[lambda octets=octets: flows.feed(octets) for octets in FLOODS]) == []
    table = flows.result()
    assert len(table) == int(table["packets"].sum()) == FLOWS * len(FLOODS)


def test_a_scanner_tells_a_second_thread_that_it_is_in_use(tmp_path: Path):
    readable, writable = os.pipe()
    os.close(writable)
    compiling, tried = threading.Event(), threading.Event()

    def where(link_type: int, swapped: bool) -> bytes:
        compiling.set()
        tried.wait()
        return struct.pack("=HBBI", 6, 0, 0, 0xFFFFFFFF)  # BPF: accept the whole record

    scanner = Scanner(columns=["packet"], where=where)
    scanner.begin()
    capture = HEADER + FLOODS[0][:500]
    scanner.space()[: len(capture)] = capture
    scanner.advance(len(capture))
    refused: list[str] = []

    def run() -> None:
        scanner.run()

    def use() -> None:
        compiling.wait()
        calls: list[Callable[[], object]] = [
            scanner.begin, scanner.run, scanner.take, scanner.flows, scanner.unseen, scanner.totals, scanner.format,
            scanner.space, scanner.finish, lambda: scanner.advance(0), lambda: scanner.lend(b"x", 0),
            lambda: scanner.read(readable), lambda: scanner.octets, lambda: scanner.damage,
            lambda: scanner.add_flows({}, 0),
        ]  # fmt: skip
        try:
            for call in calls:
                with pytest.raises(RuntimeError, match="in use by another thread"):
                    call()
                refused.append("")
        finally:
            tried.set()

    assert together(run, use) == []
    os.close(readable)
    assert len(refused) == 15
    assert scanner.totals()["packets"] == len(scanner.take()["packet"])


def test_a_child_forked_during_a_threaded_reading_is_told_so_and_ends(tmp_path: Path):
    path = tmp_path / "in.pcap"
    path.write_bytes(HEADER + b"".join(FLOODS))
    scanner = Scanner(columns=["packet"], row_limit=1000)
    scanner.begin()
    with open(path, "rb") as file:
        while scanner.read(file.fileno(), 3) != ENDED and scanner.totals()["packets"] < FLOWS:
            scanner.take()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                scanner.read(file.fileno(), 3)
            except RuntimeError:
                del scanner  # it would wait for threads that do not exist in the child
                code = 7
            finally:
                os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_an_aggregator_goes_on_in_a_child_that_was_forked_while_another_thread_held_it():
    flows = fluxcap.FlowAggregator(threads=1)
    flows.feed(HEADER + FLOODS[0])
    held, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with flows._lock:
            held.set()
            forked.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 7 if len(flows.result()) == FLOWS else 1
        finally:
            os._exit(code)  # always: a child that went on would run the tests a second time
    forked.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
