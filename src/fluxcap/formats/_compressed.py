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


def _gzip(out: BinaryIO) -> Any:
    # Without a name and a time: the same rows are the same bytes.
    try:
        igzip = importlib.import_module("isal.igzip")
    except ImportError:
        import gzip

        return gzip.GzipFile("", "wb", ZLIB_LEVEL, out, 0)
    return igzip.IGzipFile("", "wb", ISAL_LEVEL, out, 0)


def _zstd(out: BinaryIO) -> Any:
    for module in ZSTD_MODULES:
        try:
            return importlib.import_module(module).ZstdFile(out, "w")
        except ImportError:
            continue
    raise missing("writing zstd", "backports.zstd", "zstd")


COMPRESSORS: Final[dict[str, Callable[[BinaryIO], Any]]] = {".gz": _gzip, ".zst": _zstd}


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
    compressor = COMPRESSORS[Path(path).suffix.lower()](out)
    yield compressor
    compressor.close()  # not after an exception: the file will not be kept, and closing would write on
