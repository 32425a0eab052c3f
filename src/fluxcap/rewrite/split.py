"""Splitting a capture into one capture a flow: records are copied byte for byte."""

from __future__ import annotations

import os
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from fluxcap.capture.compression import DecompressionError
from fluxcap.capture.damaged import Unchanged
from fluxcap.capture.inputs import Captures, Input, expand, refuse_once
from fluxcap.capture.magic import FILE_HEADER, MAGIC_NS, SNAPLEN, VERSION
from fluxcap.capture.reading import Reading
from fluxcap.errors import ChangedError
from fluxcap.formats import Listing
from fluxcap.plan.flow_plan import FLOW, FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.rewrite.directory import Folder
from fluxcap.rewrite.extract import ROWS_AT_ONCE
from fluxcap.rewrite.job import Job
from fluxcap.values.arrays import Array, arrays
from fluxcap.values.metadata import Metadata, members
from fluxcap.values.units import NS_PER_SECOND

OCTETS_AT_ONCE: Final = 4 << 20  # bytes that are read together, or one record if that is larger
TIMES_END: Final = (1 << 32) * NS_PER_SECOND  # ns: a record header has 32 bits of seconds
RECORD_HEADER: Final = np.dtype([("seconds", "<u4"), ("ns", "<u4"), ("captured", "<u4"), ("wire", "<u4")])
OF_FLOW: Final = (
    *("protocol", "src_ip", "src_port", "dst_ip", "dst_port", "packets", "bytes", "reverse_packets", "reverse_bytes"),
    *("first", "last"),
)


@dataclass(frozen=True)
class Split:
    """What demux(form="pcap") wrote: how many flows, of how many records. `metadata` is that of a table."""

    directory: Path
    flows: int
    records: int
    metadata: Metadata


class Splitting(Job[Split]):
    """The work of demux(form="pcap"). Two readings alternate: the first finds the flows of some records, the second
    follows with the bytes of these records."""

    def __init__(
        self, src: Captures, directory: str | os.PathLike[str], max_memory: int | str | None, options: ReadOptions
    ) -> None:
        """ValueError if an input can be read only once."""
        inputs = expand(src)
        refuse_once(inputs, "split it into flows")
        reading = Reading(
            options,
            key=FlowPlan(max_memory=max_memory).spec(),
            columns=("file", FLOW, "time", "captured_length", "wire_length", "link_type", "offset"),
            row_limit=ROWS_AT_ONCE,
        )
        super().__init__(inputs, reading, Folder(directory))
        self._unchanged = Unchanged(inputs)
        self._octets = Octets()
        self._link_types: dict[int, list[int]] = {}  # of each flow, in the order in which they came
        self._records = 0

    def finish(self, interrupted: bool = False) -> Split:
        """Copy the remaining records, and write the index."""
        self.take()
        self._unchanged.check()
        self._octets.close()
        self.folder.close()
        flows = arrays(self.reading.scanner.flows(last=True))
        metadata = {**self.reading.metadata(), "interrupted": interrupted, "limit": self.reading.limit}
        numbers = range(1, len(flows["first"]) + 1)
        listing = Listing(
            {
                "kind": ["flow"] * len(numbers),
                "number": np.array(numbers, np.uint64),
                "file": [f"flow-{number:06}.pcap" for number in numbers],
                **{name: flows[name] for name in OF_FLOW},
            }
        )
        self.folder.write_index({"kind": "capture", **members(metadata)}, [listing])
        return Split(self.folder.path, len(numbers), self._records, metadata)

    def take(self) -> None:
        """Copy the records whose flows are known now."""
        rows = arrays(self.reading.scanner.take())
        for file in np.unique(rows["file"]):
            of_file = (rows["file"] == file) & (rows[FLOW] >= 0)
            self._copy(self.inputs[file], {name: column[of_file] for name, column in rows.items()})

    def _copy(self, item: Input, rows: dict[str, Array]) -> None:
        self._octets.open(item)
        starts = rows["offset"].astype(np.int64)
        ends = starts + rows["captured_length"]
        self._records += len(starts)
        at = 0
        while at < len(starts):
            to = max(at + 1, int(np.searchsorted(ends, starts[at] + OCTETS_AT_ONCE, side="right")))
            octets = self._octets.between(int(starts[at]), int(ends[to - 1]))
            part = {name: column[at:to] for name, column in rows.items()}
            self._append(part, starts[at:to] - starts[at], octets)
            at = to

    def _append(self, rows: dict[str, Array], starts: Array, octets: memoryview) -> None:
        """Append these records, whose bytes are in `octets`, to the files of their flows."""
        headers = np.empty(len(starts), RECORD_HEADER)
        # A pcap can neither leave out a time nor hold every one: what it cannot say is zero.
        times = np.where((rows["time"] >= 0) & (rows["time"] < TIMES_END), rows["time"], 0)
        headers["seconds"], headers["ns"] = np.divmod(times, NS_PER_SECOND)
        headers["captured"], headers["wire"] = rows["captured_length"], rows["wire_length"]
        heads, size = memoryview(headers.tobytes()), RECORD_HEADER.itemsize
        order = np.lexsort((rows["link_type"], rows[FLOW]))
        sorted_rows = np.stack((rows[FLOW][order], rows["link_type"][order]))
        for group in np.split(order, np.flatnonzero(np.diff(sorted_rows).any(axis=0)) + 1):
            name, header = self._file(int(rows[FLOW][group[0]]), int(rows["link_type"][group[0]]))
            parts: list[bytes | memoryview] = [header]
            lengths = rows["captured_length"][group].tolist()
            for row, start, length in zip(group.tolist(), starts[group].tolist(), lengths, strict=True):
                parts += (heads[row * size :][:size], octets[start:][:length])
            self.folder.append(name, b"".join(parts))

    def _file(self, flow: int, link_type: int) -> tuple[str, bytes]:
        """The file for records of this flow and link type (a pcap has only one), and its header if it is new."""
        types = self._link_types.setdefault(flow, [])
        name = f"flow-{flow + 1:06}{f'-{link_type}' if types and types[0] != link_type else ''}.pcap"
        if link_type in types:
            return name, b""
        types.append(link_type)
        return name, struct.pack("<" + FILE_HEADER, MAGIC_NS, *VERSION, 0, 0, SNAPLEN, link_type)


class Octets:
    """The decompressed bytes of the inputs, one input after the other, from front to back."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._item: Input | None = None
        self._buffer = bytearray()

    def open(self, item: Input) -> None:
        """Go on with this input; from its start, if it is not the current one."""
        if item is not self._item:
            self.close()
            self._item = item
            self._opened = self._stack.enter_context(item.open())
            self._at = 0

    def close(self) -> None:
        """Close the current input."""
        self._stack.close()

    def between(self, start: int, end: int) -> memoryview:
        """Bytes of the current input, valid until the next call. ChangedError if they are not there a second
        time."""
        self._skip(start - self._at)
        self._read(end - start)
        return memoryview(self._buffer)[: end - start]

    def _skip(self, n: int) -> None:
        while n > 0:
            self._read(min(n, OCTETS_AT_ONCE))
            n -= OCTETS_AT_ONCE

    def _read(self, n: int) -> None:
        if len(self._buffer) < n:
            self._buffer = bytearray(n)
        left = memoryview(self._buffer)[:n]
        while left:
            try:
                got = self._opened.readinto(left)
            except (DecompressionError, OSError):  # behind what the first reading has read, where there was no error
                got = 0
            if not got:
                assert self._item is not None
                raise ChangedError(f"{self._item.name} cannot be read so far a second time")
            left = left[got:]
        self._at += n
