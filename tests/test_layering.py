"""Who may know whom: read off the import lines."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYX, SRC = ROOT / "pyx" / "fluxcap", ROOT / "src" / "fluxcap"

# What a room of the core may import, besides its own files and base/. The data path runs downwards.
MAY_IMPORT = {
    "base": set(),
    "capture": set(),
    "checksums": set(),
    "text": set(),
    "layers": {"checksums"},
    "fragments": {"checksums", "layers"},
    "flows": set(),
    "pipeline": {"capture", "checksums", "flows", "fragments", "layers"},
    "streams": {"checksums", "fragments", "layers", "pipeline"},
    "threads": {"capture", "flows", "fragments", "pipeline"},
    "rewrite": {"capture", "checksums", "fragments", "layers", "pipeline"},
}


def parts() -> list[str]:
    return sorted(path.name for path in PYX.iterdir() if path.is_dir() and path.name != "python")


@pytest.mark.parametrize("part", parts())
def test_a_part_of_the_core_imports_only_what_it_may(part):
    found = {
        name
        for file in (PYX / part).glob("*.pxd")
        for name in re.findall(r"^from fluxcap\.(\w+)", file.read_text(), re.MULTILINE)
    }
    assert found <= MAY_IMPORT[part] | {"base", part}


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


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: path.stem)
def test_a_test_module_imports_no_other_test_module(path):
    """What two of them need stands in tests/support, under a name that says what it builds."""
    assert re.findall(r"^\s*(?:from|import) (?:\w+\.)*test_\w+", path.read_text(), re.MULTILINE) == []
