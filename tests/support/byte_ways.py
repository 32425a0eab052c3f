"""The ways in which the bytes of a capture come: as what a reading function takes, in a context."""

import gzip
import io
import os
import threading
from contextlib import closing, nullcontext


def pipe(octets):
    """A file of a pipe that somebody writes to, in small pieces."""
    read, write = os.pipe()

    def fill():
        with os.fdopen(write, "wb", buffering=0) as out:
            for at in range(0, len(octets), 100):
                out.write(octets[at : at + 100])

    threading.Thread(target=fill).start()
    return os.fdopen(read, "rb")


WAYS = {
    "bytes": lambda octets, folder: nullcontext(octets),
    "gzip": lambda octets, folder: nullcontext(gzip.compress(octets)),
    "a stream": lambda octets, folder: nullcontext(io.BytesIO(octets)),
    "a pipe": lambda octets, folder: closing(pipe(octets)),
    "a file": lambda octets, folder: nullcontext(written(folder / "x.pcap", octets)),
}


def written(path, octets):
    path.write_bytes(octets)
    return path
