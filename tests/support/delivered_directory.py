"""What demux() wrote, read back by nothing of fluxcap's."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import fluxcap


class Delivery(NamedTuple):
    """The lines of a directory, and the bytes that they speak of."""

    capture: dict[str, Any]
    sockets: list[dict[str, Any]]
    streams: list[dict[str, Any]]
    messages: list[dict[str, Any]]  # with `data`
    gaps: list[dict[str, Any]]

    def stream(self, side: str = "a", number: int | None = None) -> dict[str, Any]:
        """One direction, with `data`; of the only connection there is, if no other is meant."""
        return next(one for one in self.streams if one["side"] == side and number in (None, one["number"]))

    def gaps_of(self, stream: dict[str, Any]) -> list[tuple[int, int]]:
        """The offset and length of each."""
        ends = stream["number"], stream["side"]
        return [(gap["offset"], gap["length"]) for gap in self.gaps if (gap["stream"], gap["side"]) == ends]


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file, none if it is not there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def read(directory: Path) -> Delivery:
    """All of a directory; what its parts say of each other is checked."""
    capture, *index = lines(directory / "index.ndjson")
    for line in index:
        line["data"] = (directory / line["file"]).read_bytes() if line["file"] else b""
        assert len(line["data"]) == line["octets"]
    sockets, streams = ([line for line in index if line["kind"] == kind] for kind in ("socket", "stream"))
    of = {socket["number"]: socket["data"] for socket in sockets}
    messages = lines(directory / "messages.ndjson")
    for message in messages:
        message["data"] = of[message["socket"]][message["offset"] :][: message["length"]]
    delivery = Delivery(capture, sockets, streams, messages, lines(directory / "gaps.ndjson"))
    for stream in streams:
        gaps = delivery.gaps_of(stream)
        assert (stream["gaps"], stream["gap_octets"]) == (len(gaps), sum(length for _, length in gaps))
    there = {line["file"] for line in index} - {None}
    about = {"index.ndjson", "messages.ndjson", "gaps.ndjson"}
    assert {path.name for path in directory.iterdir()} - about == there
    return delivery


def demuxed(src: Any, directory: Path, **options: Any) -> Delivery:
    """What is in the directory after demux()."""
    fluxcap.demux(src, directory, **options)
    return read(directory)
