"""Loaded into the processes of a cluster that a command starts for itself: Ctrl-C at a terminal is sent to them too."""

import signal


def dask_setup(worker: object) -> None:
    """Leave Ctrl-C to the command, which still needs what the worker has made."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
