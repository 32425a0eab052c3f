"""The end of the process soon after a signal, whatever the main thread is at."""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Final

from fluxcap.cli.messages import Messages, is_terminal
from fluxcap.whole_files import discard_unfinished

LOOKED_EVERY: Final = 0.05  # seconds
PATIENCE: Final = 0.05  # seconds in which the main thread may end by itself; three of these make less than 0.2 s
ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Watch:
    """A thread that looks for signals beside the main thread.

    Python runs the handler of a signal in the main thread, between two of its own instructions: not while numpy sorts
    or a library writes, which takes seconds. So this thread ends the process if the main thread has not ended it soon.

    The first Ctrl-C is an exception as long as inputs are read: the main thread notices it, and what was read until
    then is the result. Where that takes a while, a person is told.
    """

    def __init__(self) -> None:
        self.messages: Messages | None = None  # None until the options are read: nothing takes a while before
        self.tidy: list[Callable[[], None]] = [discard_unfinished]  # done before the process ends
        self._keeps = True

    def start(self) -> None:
        """Start the thread; called by the main thread."""
        import _thread  # `threading` would take a part of the start of a command

        noticed, notice = os.pipe()
        os.set_blocking(noticed, False)
        os.set_blocking(notice, False)
        signal.set_wakeup_fd(notice, warn_on_full_buffer=False)
        _thread.start_new_thread(self._run, (noticed,))

    def nothing_to_keep(self) -> None:
        """From here on the first Ctrl-C ends the process as well: nothing more is read, or nothing of it is kept."""
        self._keeps = False

    def _run(self, noticed: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # the main thread handles them
        while True:
            time.sleep(LOOKED_EVERY)
            number = self._signal(noticed)
            if number == signal.SIGINT and self._keeps:
                self._keeps = False
                time.sleep(PATIENCE)
                self._say_what_goes_on()
            elif number:
                self._leave(number)

    def _signal(self, noticed: int) -> int:
        """A signal that came, whether the main thread noticed it or not; 0: none."""
        try:
            return os.read(noticed, 1)[0]
        except BlockingIOError:
            # The main thread holds signals while a library writes. They count when it lets them through, if they may
            # be an exception there.
            held = () if self._keeps else signal.sigpending().intersection(ENDING)
            return next(iter(held), 0)

    def _say_what_goes_on(self) -> None:
        if self.messages is not None and is_terminal(sys.stderr):
            self.messages.hint("interrupted: what was read until now is being finished; Ctrl-C again leaves at once")

    def _leave(self, number: int) -> None:
        time.sleep(PATIENCE)
        try:
            for work in tuple(self.tidy):
                work()
        finally:
            os._exit(128 + number)


WATCH: Final = Watch()
