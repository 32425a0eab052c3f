"""The threads that read ahead, or work beside the one that reads."""

import threading
import time

PATIENCE = 10  # seconds until a thread that should end counts as hanging


def threads_left() -> int:
    """The number of these threads that are still alive after they had time to end.

    Threads of others are not counted: those of a cluster or a server that an earlier test used end when they like.
    """
    end = time.monotonic() + PATIENCE
    while left := sum(thread.name == "fluxcap-ahead" for thread in threading.enumerate()):
        if time.monotonic() > end:
            break
        time.sleep(0.01)
    return left
