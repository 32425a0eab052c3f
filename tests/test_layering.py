"""Which room may import which: read off the import lines."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

import core_sources
import library_sources
from core_sources import PYX, Source
from library_sources import SRC

ROOT = Path(__file__).parents[1]

LONGEST_FILE = 400  # lines
FULLEST_FOLDER = 16  # files, beside its sub-folders

# The core -------------------------------------------------------------------------------------------------------------

# Its rooms from bottom to top, and what each may import besides its own files and base/. The data path runs downwards.
MAY_IMPORT: dict[str, set[str]] = {
    "base": set(),
    "text": set(),
    "capture": set(),
    "order": {"capture"},
    "checksums": set(),
    "layers": {"checksums"},
    "fragments": {"checksums", "layers"},
    "flows": set(),
    "tables": {"flows"},
    "pipeline": {"capture", "checksums", "flows", "fragments", "layers", "tables"},
    "threads": {"capture", "flows", "fragments", "pipeline", "tables"},
    "streams": {"checksums", "fragments", "layers", "pipeline"},
    "rewrite": {"capture", "checksums", "fragments", "layers", "pipeline"},
    "explain": {"layers", "pipeline", "streams"},
    "compare": {"layers", "pipeline", "streams"},
    "names": {"flows", "layers", "pipeline", "streams", "text"},
}
# The one room that touches Python objects. Its files are parts of one module, _core, and may import every other room.
PYTHON = "python"

CORE = core_sources.sources(".pxd", ".pxi")
MODULES = [source for source in CORE if source.path.suffix == ".pxd" and source.path.name != "__init__.pxd"]
PARTS = [source for source in CORE if source.path.suffix == ".pxi"]


def name_of(source: Source) -> str:
    return str(source.path.relative_to(PYX))


def rooms_of(modules: Iterable[str]) -> set[str]:
    return {module.split(".")[1] for module in modules if module.startswith("fluxcap.")}


def a_circle(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """The modules of one circle of imports; none if there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def named_twice(kind: str) -> list[str]:
    times = Counter(chain.from_iterable(getattr(source, kind) for source in CORE))
    return sorted(name for name, n in times.items() if n > 1)


def test_every_room_of_the_core_is_named():
    assert {path.name for path in PYX.iterdir() if path.is_dir()} == {*MAY_IMPORT, PYTHON}


def test_a_room_of_the_core_may_import_only_rooms_under_it():
    rooms = list(MAY_IMPORT)
    assert all(rooms.index(under) < rooms.index(room) for room in rooms for under in MAY_IMPORT[room])


@pytest.mark.parametrize("source", MODULES, ids=name_of)
def test_a_file_of_the_core_imports_only_rooms_that_its_room_may(source):
    assert rooms_of(source.modules) <= MAY_IMPORT[source.room] | {"base", source.room}


def test_files_of_the_core_import_in_no_circle():
    modules = {".".join(["fluxcap", *source.path.relative_to(PYX).with_suffix("").parts]): source for source in MODULES}
    assert a_circle({name: source.modules & modules.keys() for name, source in modules.items()}) == []


def test_parts_of_the_python_module_lie_in_the_room_that_touches_python():
    assert {source.room for source in PARTS} == {PYTHON}
    assert [path.name for path in (PYX / PYTHON).glob("*.pxd")] == []


def test_the_python_module_is_nothing_but_its_parts():
    lines = (PYX / "_core.pyx").read_text().splitlines()
    included = re.findall(r'^include "(.*)"$', "\n".join(lines), re.MULTILINE)
    assert sorted(included) == sorted(name_of(source) for source in PARTS)
    assert len([line for line in lines if line]) == 1 + len(included)  # and a docstring of one line


@pytest.mark.parametrize("source", MODULES, ids=name_of)
def test_only_the_room_for_it_touches_python(source):
    assert {module for module in source.modules if module.startswith("cpython")} == set()
    functions = re.findall(r"^(?:cdef|cpdef|def) [^=\n]*\((?:[^()]|\([^()]*\))*\).*:$", source.text, re.MULTILINE)
    assert [line for line in functions if not line.endswith(" noexcept nogil:")] == []


@pytest.mark.parametrize("source", CORE, ids=name_of)
def test_a_file_of_the_core_uses_every_name_that_it_imports(source):
    assert source.imported - source.used == set()


@pytest.mark.parametrize("source", PARTS, ids=name_of)
def test_a_part_of_the_python_module_imports_every_name_that_it_uses(source):
    """Cython does not ask for it: the parts share one namespace, where another part may have imported the name."""
    to_import = set().union(*(s.defined for s in MODULES), *(s.imported for s in CORE))
    assert (source.used & to_import) - source.imported - source.defined - source.bound == set()


@pytest.mark.parametrize("kind", ["constants", "types"])
def test_a_name_in_the_core_means_one_thing(kind):
    assert named_twice(kind) == []


@pytest.mark.parametrize("path", sorted(PYX.rglob("*.[ph]*")), ids=lambda path: str(path.relative_to(PYX)))
def test_no_file_of_the_core_is_longer_than_a_reader_takes_in(path):
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("room", [*MAY_IMPORT, PYTHON, "."])
def test_no_room_of_the_core_is_crowded(room):
    assert len([path for path in (PYX / room).iterdir() if path.is_file()]) <= FULLEST_FOLDER


def test_the_core_neither_prints_nor_opens_files():
    for path in [*PYX.rglob("*.p*"), *PYX.rglob("*.h")]:
        assert not re.search(r"\b(print|printf|fprintf|fopen|open)\s*\(", path.read_text()), path


def test_the_quick_check_knows_every_room_and_only_tests_that_are_there():
    rows = re.findall(r"^    (\w+)\) names=\((.*)\) ;;$", (ROOT / ".ci" / "quick").read_text(), re.MULTILINE)
    assert {room for room, _ in rows} == {*MAY_IMPORT, PYTHON}
    names = {name for _, several in rows for name in several.split()}
    assert [name for name in names if not (ROOT / "tests" / "core" / f"test_{name}.py").exists()] == []


# The library ----------------------------------------------------------------------------------------------------------

# Its rooms from the street down. A room imports itself and those under it, be it inside a function or for types alone.
ROOMS = {
    "cli": {"cli", "__main__"},
    "the public names": {""},
    "cluster": {"cluster"},
    "lake": {"lake"},
    "page": {"page"},
    "plot": {"plot"},
    "explaining": {"explaining"},
    "reports": {"reports"},
    "sockets": {"sockets"},
    "comparison": {"comparison"},
    "tables": {"tables"},
    "rewrite": {"rewrite"},
    "capture": {"capture"},
    "plan": {"plan"},
    "formats": {"formats"},
    "values": {"values"},
    "whole files": {"whole_files"},
    "stores": {"stores"},
    "the ground": {"errors", "held_signals", "_core"},
}
AT_THE_TOP = 8  # files beside the rooms

LIBRARY = library_sources.modules()
SOURCES = sorted([*SRC.rglob("*.py"), *SRC.rglob("*.pyi")])


def floor_of(module: str) -> int:
    """How far below the street a module of the library is."""
    top = module.split(".")[0]
    return next(floor for floor, names in enumerate(ROOMS.values()) if top in names)


def test_every_room_of_the_library_is_named():
    named = set().union(*ROOMS.values()) - {"_core"}  # which is built from pyx/
    assert {module.name.split(".")[0] for module in LIBRARY} == named
    assert {path.name for path in SRC.iterdir() if path.is_dir() and path.name != "__pycache__"} <= named


@pytest.mark.parametrize("module", LIBRARY, ids=lambda module: module.name or "fluxcap")
def test_a_module_of_the_library_imports_nothing_above_its_room(module):
    assert {other for other in module.modules if floor_of(other) < floor_of(module.name)} == set()


@pytest.mark.parametrize("module", LIBRARY, ids=lambda module: module.name or "fluxcap")
def test_what_is_private_to_a_room_of_the_library_stays_in_it(module):
    def is_private(name):
        return name.startswith("_") and name != "_core" and not name.startswith("__")

    taken = {one for one in module.imports if floor_of(one.module) != floor_of(module.name)}
    private = {one for one in taken if any(map(is_private, (*one.module.split("."), one.name or "")))}
    assert private == set()


def test_modules_of_the_library_import_in_no_circle():
    assert a_circle({module.name: module.modules - {"_core"} for module in LIBRARY}) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SRC)))
def test_no_file_of_the_library_is_longer_than_a_reader_takes_in(path):
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


def test_no_room_of_the_library_is_crowded():
    files = Counter(path.parent for path in [*SOURCES, SRC / "py.typed"])
    assert {folder: n for folder, n in files.items() if n > FULLEST_FOLDER} == {}
    assert files[SRC] <= AT_THE_TOP


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
