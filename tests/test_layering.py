"""Who may know whom: read off the import lines."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYX, SRC = ROOT / "pyx" / "fluxcap", ROOT / "src" / "fluxcap"

# What a part of the core may import, besides its own folder, bytes, memory and types. The data path runs downwards.
MAY_IMPORT = {
    "bytes.pxd": set(),
    "memory.pxd": set(),
    "types.pxd": set(),
    "capture": set(),
    "checksum.pxd": set(),
    "layers": {"checksum"},
    "decode.pxd": {"layers"},
    "flows": {"columns"},
    "columns.pxd": set(),
    "filter.pxd": {"capture"},
    "copy.pxd": {"capture"},
    "crew.pxd": {"capture", "pipeline", "span", "threads"},
    "digest.pxd": {"flows"},
    "fragments.pxd": {"checksum", "layers"},
    "holding.pxd": {"fragments"},
    "mux.pxd": {"capture", "segment"},
    "pipeline.pxd": {
        "capture",
        "checksum",
        "columns",
        "decode",
        "digest",
        "filter",
        "flows",
        "holding",
        "quotation",
        "tally",
    },
    "quotation.pxd": {"flows", "holding"},
    "repair.pxd": {"capture", "checksum", "fragments", "layers", "pipeline"},
    "segment.pxd": {"checksum", "layers"},
    "streams": {"checksum", "columns", "fragments", "holding", "layers", "pipeline"},
    "span.pxd": {"capture", "columns", "digest", "flows", "holding", "pipeline"},
    "tally.pxd": {"capture"},
    "threads.pxd": set(),
    "text": set(),
}
SHARED = {"bytes", "memory", "types"}


def parts() -> list[str]:
    return sorted({path.relative_to(PYX).parts[0] for path in PYX.rglob("*.pxd")} - {"__init__.pxd"})


@pytest.mark.parametrize("part", parts())
def test_a_part_of_the_core_imports_only_what_it_may(part):
    files = [PYX / part] if part.endswith(".pxd") else (PYX / part).glob("*.pxd")
    found = {name for file in files for name in re.findall(r"^from fluxcap\.(\w+)", file.read_text(), re.MULTILINE)}
    assert found <= MAY_IMPORT[part] | SHARED | {part}


def test_the_core_neither_prints_nor_opens_files():
    for path in [*PYX.rglob("*.p*"), *PYX.rglob("*.h")]:
        assert not re.search(r"\b(print|printf|fprintf|fopen|open)\s*\(", path.read_text()), path


@pytest.mark.parametrize("word", ["rich", "argparse"])
def test_only_the_front_knows(word):
    knowing = {path.relative_to(SRC).parts[0] for path in SRC.rglob("*.py") if f"import {word}" in path.read_text()
               or f"from {word}" in path.read_text()}  # fmt: skip
    assert knowing <= {"cli", "formats"}


def test_only_errors_turns_what_is_wrong_with_a_file_into_an_exception():
    raising = re.compile(r"raise (CaptureError|TruncatedError)\(")
    assert [path.name for path in SRC.rglob("*.py") if raising.search(path.read_text())] == []
