"""The files of a lake: sorted by time whatever comes first, none too large, and at most one small one in a folder."""

from collections import defaultdict
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fluxcap
from fluxcap._core import NO_TIME
from fluxcap.lake import files, manifest
from fluxcap.lake.export import by_rank, rewritten
from fluxcap.lake.layout import EXPORT, PATH, laid_out
from fluxcap.lake.place import Place
from fluxcap.lake.sorting import Sorted, times
from lake_captures import HOUR, SECOND, START, spread

np = pytest.importorskip("numpy")
pa = pytest.importorskip("pyarrow")

MIB = 1 << 20
EXPORTS = st.tuples(st.sampled_from("abc"), st.integers(1, 30_000), st.integers(0, 9))  # name, rows, seed
TIMES = st.lists(st.none() | st.integers(-5, 5), max_size=12)


def table(at, first_row=0):
    """Rows with these times, numbered."""
    rows = pa.array(range(first_row, first_row + len(at)), pa.int64())
    return pa.table({"time": pa.array(at, pa.timestamp("ns", "UTC")), "row": rows})


def pairs(tables):
    found = [zip(times(one, "time").tolist(), one["row"].to_pylist(), strict=True) for one in tables]
    return [pair for several in found for pair in several]


@given(
    batches=st.lists(TIMES, max_size=8),
    besides=st.lists(TIMES, max_size=3),
    part_octets=st.integers(1, 400),
    fan_in=st.integers(2, 4),
)
def test_rows_leave_in_the_order_of_their_times(batches, besides, part_octets, fan_in, tmp_path_factory):
    rows = Sorted("time", tmp_path_factory.mktemp("scratch"), part_octets, fan_in)
    number = count(0, 100)
    given = [table(at, next(number)) for at in batches]
    others = [table(sorted(at, key=lambda one: (one is not None, one or 0)), next(number)) for at in besides]
    for one in given:
        rows.add(one)
    leaving = pairs(rows.merged([[one] for one in others]))
    assert [at for at, _ in leaving] == sorted(at for at, _ in leaving)
    assert sorted(leaving) == sorted(pairs([*given, *others]))


def test_parts_beyond_memory_are_on_disk_and_few_are_open(tmp_path):
    rows = Sorted("time", tmp_path, part_octets=1, fan_in=3)
    for at in range(20, 0, -1):
        rows.add(table([at]))
    assert len(list(tmp_path.iterdir())) == 20
    merged = rows.merged()
    assert len(list(tmp_path.iterdir())) <= 3
    assert [at for at, _ in pairs(merged)] == list(range(1, 21))


TIME, TEXT, NUMBER = pa.timestamp("ns", "UTC"), pa.string(), pa.uint64()
KINDS = {"time": TIME, "src_ip": TEXT, "noise": NUMBER, "zero": NUMBER, EXPORT: TEXT}
LAYOUT = laid_out("packets", pa.schema(KINDS.items()).empty_table(), "", "", None, "day,hour")


def noise(rows, hours, export, seed, entropy):
    """Rows over so many hours, as hard to compress as asked for, in the order of time."""
    drawn = np.random.default_rng(seed)
    at = np.sort(drawn.integers(START, START + hours * HOUR, rows))
    texts = [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in drawn.integers(0, entropy, rows).tolist()]
    columns = [at, texts, drawn.integers(0, entropy * entropy, rows), np.zeros(rows, np.int64), [export] * rows]
    return pa.table([pa.array(one).cast(kind) for one, kind in zip(columns, LAYOUT.schema().types, strict=True)],
        schema=LAYOUT.schema())  # fmt: skip


@pytest.mark.parametrize("entropy", [2, 1 << 12, 1 << 24])
def test_files_are_full_and_none_is_too_large(entropy, tmp_path):
    place = Place(tmp_path)
    rows = noise(200_000, 2, "a", 1, entropy)
    batches = [rows.slice(start, 10_000) for start in range(0, len(rows), 10_000)]
    made = list(files.write(place, LAYOUT, batches, MIB))
    assert sum(file.rows for file in made) == len(rows)
    sizes = defaultdict(list)
    for file in made:
        assert (tmp_path / file.path).stat().st_size == file.octets
        sizes[file.folder].append(file.octets)
    assert len(sizes) == 3  # START is not at the beginning of an hour
    assert entropy == 2 or max(map(len, sizes.values())) > 1
    for several in sizes.values():
        assert max(several) <= MIB
        assert min(several[:-1], default=MIB) >= MIB // 2


@settings(max_examples=15)
@given(exports=st.lists(EXPORTS, min_size=2, max_size=4))
def test_after_any_exports_a_folder_has_one_small_file_at_most(exports, tmp_path_factory):
    """The same as of whole exports, whose rows are captures': here are more bytes in less time."""
    place = Place(tmp_path_factory.mktemp("lake"))
    there, expected = [], {}
    for name, rows, seed in exports:
        new = noise(rows, 1, name, seed, 1 << 24)
        expected[name] = rows
        old = rewritten(there, frozenset(name), {"day=2023-11-14/hour=22", "day=2023-11-14/hour=23"}, MIB // 2)
        kept = [(one for file in rank for one in files.read(place, file, frozenset(name))) for rank in by_rank(old)]
        merged = Sorted("time", tmp_path_factory.mktemp("scratch"))
        merged.add(new)
        there = [file for file in there if file not in old]
        there += files.write(place, LAYOUT, merged.merged(kept), MIB)
        sizes = defaultdict(list)
        for file in there:
            sizes[file.folder].append(file.octets)
        assert all(len([one for one in several if one < MIB // 2]) <= 1 for several in sizes.values())
        assert all(max(several) <= MIB for several in sizes.values())
        counts = {one: sum(file.exports.get(one, 0) for file in there) for one in expected}
        assert counts == expected


def test_small_exports_of_one_hour_share_a_file(tmp_path):
    captures = [spread(tmp_path / f"{seed}.pcap", 20, seed, days=1) for seed in range(5)]
    for capture in captures:
        fluxcap.export(capture, tmp_path / "lake", partition="day")
    (state, _) = manifest.load(Place(tmp_path / "lake"))
    assert all(PATH.fullmatch(file.path) for file in state.files)
    assert [len(file.exports) for file in state.files] == [5]


@pytest.mark.parametrize(
    ("ns", "folder"),
    [
        (0, "day=1970-01-01/hour=00"),
        (-1, "day=1969-12-31/hour=23"),
        (START, "day=2023-11-14/hour=22"),
        (NO_TIME, "day=__HIVE_DEFAULT_PARTITION__/hour=__HIVE_DEFAULT_PARTITION__"),
        (NO_TIME + 1, "day=1677-09-21/hour=00"),
        ((1 << 63) - 1, "day=2262-04-11/hour=23"),
        (951_782_400 * SECOND, "day=2000-02-29/hour=00"),
    ],
)
def test_a_time_has_the_folder_of_its_hour(ns, folder):
    assert LAYOUT.folder(int(LAYOUT.periods(np.array([ns]))[0])) == folder
    assert PATH.fullmatch(f"{folder}/part-{'0' * 16}.parquet")
    days = LAYOUT._replace(partition="day")
    assert days.folder(int(days.periods(np.array([ns]))[0])) == str(Path(folder).parent)
