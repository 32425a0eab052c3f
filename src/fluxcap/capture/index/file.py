"""The file of an index: a small Parquet file with a row for each place where a reading can begin."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fluxcap.capture.index.identity import Identity, identity_of, path_of
from fluxcap.capture.warn import warn
from fluxcap.errors import missing, printable
from fluxcap.stores.urls import is_url
from fluxcap.whole_files import replacing

if TYPE_CHECKING:
    from fluxcap.capture.inputs import Input
    from fluxcap.plan.places import Place

VERSION: Final = 1  # of these columns and keys; an index of another version is made anew
KEY: Final = b"fluxcap.index"  # in the metadata of the file: the version and the identity of the capture, as JSON
HEADERS: Final = b"fluxcap.headers"  # ... and all headers of the capture, one after the other, in base 64: it is text


class Checkpoint(NamedTuple):
    """A place where a reading can begin."""

    packet: int  # the number of the record that begins there
    offset: int  # its first byte in the capture
    newest: int | None  # the latest time of the records before it, ns; None: none of them has a time
    headers: int  # how many of the bytes of HEADERS come before it: those of the file, sections and interfaces


class Index(NamedTuple):
    """All of them, in order, and what the first ones need."""

    checkpoints: list[Checkpoint]
    headers: bytes
    identity: Identity

    def before(self, place: Place) -> Checkpoint | None:
        """The last checkpoint at a place, or before it; None: there is none."""
        if place.packet is not None:
            n = bisect_right(self.checkpoints, place.packet, key=lambda one: one.packet)
        else:
            assert place.time is not None
            before_all = place.time - 1
            n = bisect_left(
                self.checkpoints,
                place.time,
                key=lambda one: before_all if one.newest is None else one.newest,
            )
        return self.checkpoints[n - 1] if n else None


def write(item: Input, index: Index) -> str:
    """Write an index beside its capture, in place of an older one; says where. ImportError without pyarrow."""
    pa, pq = _arrow("an index")
    path, rows = path_of(item), index.checkpoints
    of = json.dumps({"version": VERSION, **index.identity._asdict()})
    table = pa.table(
        {
            "packet": pa.array([one.packet for one in rows], pa.uint64()),
            "offset": pa.array([one.offset for one in rows], pa.uint64()),
            "newest": pa.array([one.newest for one in rows], pa.timestamp("ns", "UTC")),
            "headers": pa.array([one.headers for one in rows], pa.uint64()),
        },
    )
    with replacing(path) as out:
        metadata = {KEY: of.encode(), HEADERS: b64encode(index.headers)}
        pq.write_table(table.replace_schema_metadata(metadata), out)
    return path


def load(item: Input) -> Index | None:
    """The index beside an input. None where there is none, or, with a warning, where it is of no use."""
    try:
        path = path_of(item)
    except ValueError:
        return None
    try:
        octets = _stored(path)
    except FileNotFoundError:
        return None
    except (OSError, ImportError) as error:
        _unused(path, str(getattr(error, "strerror", None) or error))
        return None
    try:
        index = _read(octets)
        if index is None:
            why = "another version of fluxcap has made it"
        elif not index.identity.is_of(identity_of(item)):
            why = f"{item.name} has changed since it was made"
        else:
            return index
    except ImportError as error:
        why = str(error)
    except Exception as error:  # of pyarrow, whatever the bytes of a file that is no index make it raise
        why = f"it cannot be read ({error})"
    _unused(path, why)
    return None


def _unused(path: str, why: str) -> None:
    warn(UserWarning(f"{printable(path)} is not used: {printable(why)}; `fluxcap index` makes it anew"))


def _stored(path: str) -> bytes:
    if is_url(path):
        from fluxcap.stores.objects import fetch

        return fetch(path)
    with open(os.fspath(path), "rb") as file:
        return file.read()


def _read(octets: bytes) -> Index | None:
    """An index; None if it is of another version."""
    pa, pq = _arrow("an index")
    # Not pq.read_table(), whose threads let go of the bytes later: if the process has ended by then, it is aborted.
    with pq.ParquetFile(pa.BufferReader(octets)) as file:
        table = file.read(use_threads=False)
    metadata: dict[bytes, bytes] = table.schema.metadata or {}
    of = json.loads(metadata[KEY])
    if of.pop("version") != VERSION:
        return None
    names = Checkpoint._fields
    columns: list[list[Any]] = [
        (table[name].cast(pa.int64()) if name == "newest" else table[name]).to_pylist() for name in names
    ]
    made = Index([Checkpoint(*row) for row in zip(*columns, strict=True)], b64decode(metadata[HEADERS]), Identity(**of))
    _check(made)
    return made


def _check(index: Index) -> None:
    """ValueError for places that no capture of that size has."""
    for before, after in pairwise((Checkpoint(0, -1, None, 0), *index.checkpoints)):
        if not (
            before.packet < after.packet
            and before.offset < after.offset < index.identity.size
            and before.headers <= after.headers <= len(index.headers)
        ):
            raise ValueError(f"packet {after.packet} does not begin at {after.offset}")


def _arrow(need: str) -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
        import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]
    except ModuleNotFoundError:
        raise missing(need, "pyarrow", "arrow") from None
    return pa, pq
