"""Text formats in gzip or zstd, where the name of the file ends so: flows.csv.gz, packets.ndjson.zst."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from fluxcap.errors import missing
from fluxcap.values.libraries import ZSTD_MODULES

ISAL_LEVEL, ZLIB_LEVEL = 2, 6  # the defaults of their makers; isal is several times as fast


def _gzip(out: _Sink) -> Any:
    # Without a name and a time: the same rows are the same bytes.
    try:
        igzip = importlib.import_module("isal.igzip")
    except ImportError:
        import gzip

        return gzip.GzipFile("", "wb", ZLIB_LEVEL, out, 0)
    return igzip.IGzipFile("", "wb", ISAL_LEVEL, out, 0)


def _zstd(out: _Sink) -> Any:
    for module in ZSTD_MODULES:
        try:
            return importlib.import_module(module).ZstdFile(out, "w")
        except ImportError:
            continue
    raise missing("writing zstd", "backports.zstd", "zstd")


COMPRESSORS: Final[dict[str, Callable[[_Sink], Any]]] = {".gz": _gzip, ".zst": _zstd}


def is_compressed(path: str | os.PathLike[str]) -> bool:
    """Whether the name of a file asks for compression."""
    return Path(path).suffix.lower() in COMPRESSORS


def inner(path: str | os.PathLike[str]) -> Path:
    """The name without the suffix that asks for compression."""
    return Path(path).with_suffix("") if is_compressed(path) else Path(path)


@contextmanager
def compressing(out: BinaryIO, path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """The stream to write to instead of `out`, which goes to a file of this name. ModuleNotFoundError if what
    compresses is not installed."""
    if not is_compressed(path):
        yield out
        return
    sink = _Sink(out)
    compressor = COMPRESSORS[Path(path).suffix.lower()](sink)
    try:
        yield compressor
    except BaseException:
        sink.give_up()
        raise
    finally:
        compressor.close()


class _Sink:
    """A file that takes what a compressor writes, but for its last bytes where the file will not be kept.

    A compressor writes these when it is closed, and its finaliser closes it: by then the file itself may be closed.
    """

    def __init__(self, out: BinaryIO) -> None:
        self.write: Callable[[bytes], int] = out.write
        self.flush: Callable[[], None] = out.flush

    def give_up(self) -> None:
        self.write = len
        self.flush = lambda: None
