"""Handlers of signals wait while a library works that cannot pass on what they raise."""

import os
import signal
import threading

import pytest

from fluxcap.held_signals import HeldSignals


def taken_by_another_thread(number: int) -> None:
    """The system gives a signal to any thread; Python runs the handler in the main thread."""
    thread = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), number))
    thread.start()
    thread.join()


def taken_by_this_thread(number: int) -> None:
    os.kill(os.getpid(), number)


BOTH = pytest.mark.parametrize("send", [taken_by_this_thread, taken_by_another_thread])


def sent_and_let_through(send, reached: list[str]) -> None:
    with HeldSignals() as held:
        send(signal.SIGINT)
        reached.append("held")
        with held.let_through():
            reached.append("let through")


def sent_and_left(send, reached: list[str]) -> None:
    with HeldSignals():
        send(signal.SIGINT)
        reached.append("held")
    reached.append("left")


def sent_again(send, reached: list[str]) -> None:
    with HeldSignals() as held:
        with pytest.raises(KeyboardInterrupt), held.let_through():
            send(signal.SIGINT)
        send(signal.SIGINT)
        reached.append("held")


@pytest.mark.parametrize("send", [taken_by_this_thread, taken_by_another_thread])
@pytest.mark.parametrize("work", [sent_and_let_through, sent_and_left, sent_again])
def test_a_signal_waits_until_it_is_let_through_or_the_end(work, send):
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work(send, reached)
    assert reached == ["held"]


def test_a_handler_that_raises_nothing_leaves_signals_let_through():
    numbers: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, frame: numbers.append(number))
    try:
        with HeldSignals() as held, held.let_through():
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGHUP)
            assert numbers == [signal.SIGHUP] * 2
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_are_what_they_were_afterwards():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with HeldSignals():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in numbers] == before


def test_another_thread_holds_nothing():
    seen: list[object] = []

    def work() -> None:
        with HeldSignals() as held, held.let_through():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
