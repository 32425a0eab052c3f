"""The manifest of a lake: which files are its rows, and which inputs these came from. Whoever reads it knows it all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from fluxcap.lake.layout import PATH, TIMES, UNTIMED, VERSION, Layout
from fluxcap.lake.place import MANIFEST, Place
from fluxcap.whole_files import replacing

NAMED: Final = 3  # inputs in a message
ID: Final = 16  # hexadecimal digits of the name of an export


class File(NamedTuple):
    """A file of a lake; it never changes."""

    path: str
    octets: int
    exports: Mapping[str, int]  # how many rows each export has in it

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(self.exports.values())

    @property
    def values(self) -> dict[str, str | None]:
        """What its folder says of all its rows; None for rows without a time."""
        said = (part.split("=") for part in self.folder.split("/"))
        return {level: None if value == UNTIMED else value for level, value in said}

    @property
    def folder(self) -> str:
        """The folder of its day or hour."""
        return self.path.rpartition("/")[0]


class Export(NamedTuple):
    """What made rows."""

    inputs: tuple[str, ...]
    rows: int
    made: Mapping[str, Any]  # by which options


class Manifest(NamedTuple):
    """One state of a lake."""

    layout: Layout
    exports: Mapping[str, Export] = {}
    files: tuple[File, ...] = ()
    retired: tuple[
        str, ...
    ] = ()  # files of the state before, which a reader may still be at; the next export removes them

    def replaced_by(self, inputs: Collection[str]) -> frozenset[str]:
        """The exports whose rows an export of these inputs replaces. ValueError if one had other inputs as well: from
        which of them a row came is not known."""
        replaced = set()
        for name, export in self.exports.items():
            others = [one for one in export.inputs if one not in inputs]
            if len(others) == len(export.inputs):
                continue
            if others:
                one = next(one for one in export.inputs if one in inputs)
                more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
                raise ValueError(
                    f"{one} was exported together with {', '.join(others[:NAMED])}{more}, and flows may be in several;"
                    " export all of them together again"
                )
            replaced.add(name)
        return frozenset(replaced)


def export_id(inputs: Iterable[str]) -> str:
    """The name of an export of these inputs: the same inputs have the same name."""
    return hashlib.sha256("\n".join(sorted(set(inputs))).encode("utf-8", "surrogateescape")).hexdigest()[:ID]


def load(place: Place) -> tuple[Manifest | None, bytes | None]:
    """The state of a lake, and how it is written; None where there is no lake. ValueError if it cannot be read."""
    written = place.load(MANIFEST)
    return (None if written is None else _read(written, place)), written


def _read(written: bytes, place: Place) -> Manifest:
    try:
        said = json.loads(written)
        version = said["lake"]
        if version == VERSION:
            layout = Layout(**{**said["layout"], "columns": tuple(said["layout"]["columns"].items())})
            exports = {
                name: Export(tuple(one["inputs"]), one["rows"], one["made"]) for name, one in said["exports"].items()
            }
            files = tuple(File(one["path"], one["octets"], one["exports"]) for one in said["files"])
            paths = [*(file.path for file in files), *said["retired"]]
            if layout.table in TIMES and all(map(PATH.fullmatch, paths)):
                return Manifest(layout, exports, files, tuple(said["retired"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{place.shown}/{MANIFEST} is no manifest of a lake: {error}") from None
    if version != VERSION:
        raise ValueError(f"{place.shown} is a lake of version {version!r}, and this fluxcap reads version {VERSION}")
    raise ValueError(f"{place.shown}/{MANIFEST} names a file that no export writes")


def commit(manifest: Manifest, place: Place) -> None:
    """Make this the state of a lake: readers see the state before or this one."""
    said = {
        "lake": VERSION,
        "layout": {**manifest.layout._asdict(), "columns": dict(manifest.layout.columns)},
        "exports": {name: export._asdict() for name, export in manifest.exports.items()},
        "files": [file._asdict() for file in manifest.files],
        "retired": manifest.retired,
    }
    with replacing(place.at(MANIFEST)) as out:
        out.write(json.dumps(said, indent=1).encode())
