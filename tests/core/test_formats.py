"""Every output format on the same rows, read back with independent readers."""

import csv
import io
import json
import re
import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fluxcap import formats
from fluxcap.formats import Listing, Rows, Screen
from fluxcap.formats._delimited import FORMULA_STARTS
from fluxcap.tables.table import Table
from fluxcap.values import human

FORMULAS = ["=1+2", "+1", "-1", "@SUM(A1)", "\tx", "\rx"]
NASTY = [*FORMULAS, "tab\there", "back\\slash", "line\nbreak", 'quo"te, comma', "\x1b[2J"]
UNTOUCHABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")  # forbidden in any output; newlines end its lines


def address(last: int) -> list[int]:
    return [*[0] * 10, 255, 255, 192, 0, 2, last]


def flows(rows: int = 3) -> Table:
    """A flow table, every value different."""
    return Table(
        {
            "protocol": np.full(rows, 17, np.uint8),
            "src_ip": np.array([address(row % 250) for row in range(rows)], np.uint8).reshape(-1, 16),
            "src_port": np.arange(40000, 40000 + rows, dtype=np.uint32).astype(np.uint16),
            "dst_ip": np.array([address(255)] * rows, np.uint8).reshape(-1, 16),
            "dst_port": np.full(rows, 53, np.uint16),
            "packets": np.arange(1, rows + 1, dtype=np.uint64) * 1000,
            "bytes": np.arange(rows, dtype=np.uint64) * 2048 + 2**63,
            "first": np.full(rows, 1_700_000_000_000_000_001, np.int64),
            "last": np.full(rows, 1_700_000_003_500_000_001, np.int64),
            "bad": np.zeros(rows, np.uint64),
            "partial": np.arange(rows, dtype=np.uint64),
        }
    )


def written(name: str, *tables: Table, columns: tuple[str, ...] = (), **about: Any) -> str:
    out = io.BytesIO()
    rows = Rows(tables, columns or tables[0].columns, **about)
    formats.find(name).write(out, rows, Screen(80))
    return out.getvalue().decode()


def read_tsv(text: str) -> list[list[str]]:
    unescape = {r"\t": "\t", r"\n": "\n", r"\r": "\r", "\\\\": "\\"}
    return [
        [re.sub(r"\\[tnr\\]", lambda match: unescape[match[0]], cell) for cell in line.split("\t")]
        for line in text.removesuffix("\n").split("\n")
    ]


def test_a_format_is_a_module_with_help_suffixes_and_write():
    assert formats.names() == [
        "arrow",
        "arrows",
        "csv",
        "json",
        "ndjson",
        "npz",
        "parquet",
        "table",
        "tsv",
        "zeek",
        "zeek_json",
    ]
    for name in formats.names():
        module = formats.find(name)
        assert module.HELP
        assert all(formats.name_for(f"x{suffix}") == name for suffix in module.SUFFIXES)


def test_the_suffix_chooses_the_format_whatever_its_case():
    assert formats.name_for("dir.json/flows.TSV") == "tsv"
    assert formats.name_for("flows") is None
    assert formats.name_for("flows.docx") is None


def test_tsv_has_a_header_and_raw_values():
    header, first, *_ = read_tsv(written("tsv", flows()))
    assert header == list(flows().columns)
    assert first == [
        "17", "192.0.2.0", "40000", "192.0.2.255", "53", "1000", "9223372036854775808",
        "2023-11-14T22:13:20.000000001Z", "2023-11-14T22:13:23.500000001Z", "0", "0",
    ]  # fmt: skip


def test_csv_says_the_same_as_tsv():
    assert list(csv.reader(io.StringIO(written("csv", flows())))) == read_tsv(written("tsv", flows()))


def test_ndjson_is_one_object_a_row_with_numbers_as_numbers():
    rows = [json.loads(line) for line in written("ndjson", flows()).splitlines()]
    assert len(rows) == 3
    assert rows[2] == {
        "protocol": 17, "src_ip": "192.0.2.2", "src_port": 40002, "dst_ip": "192.0.2.255", "dst_port": 53,
        "packets": 3000, "bytes": 2**63 + 4096, "first": "2023-11-14T22:13:20.000000001Z",
        "last": "2023-11-14T22:13:23.500000001Z", "bad": 0, "partial": 2,
    }  # fmt: skip


def test_json_is_one_object_around_the_rows_of_ndjson():
    whole = json.loads(written("json", flows(), metadata=lambda: {"inputs": ["x.pcap"], "damage": []}))
    assert whole["schema"] == 1
    assert whole["columns"] == list(flows().columns)
    assert whole["rows"] == [json.loads(line) for line in written("ndjson", flows()).splitlines()]
    assert (whole["inputs"], whole["damage"]) == (["x.pcap"], [])


def test_json_without_rows_or_metadata_is_still_an_object():
    assert json.loads(written("json", flows(0)))["rows"] == []


@pytest.mark.parametrize("name", ["tsv", "csv", "ndjson", "json"])
def test_several_tables_are_written_as_one(name):
    assert written(name, flows(2), flows(0), flows(3)).count("40001") == 2
    assert written(name, flows(2), flows(3)).count("dst_port") == written(name, flows(5)).count("dst_port")


@pytest.mark.parametrize("name", ["tsv", "csv", "ndjson", "json"])
def test_columns_come_in_the_order_asked_for(name):
    text = written(name, flows(), columns=("packets", "src_ip"))
    assert text.index("packets") < text.index("src_ip")
    assert "dst_ip" not in text


def test_a_table_of_many_pieces_of_text_is_written_whole():
    rows = 20_000
    lines = written("tsv", flows(rows), columns=("packets",)).split()
    assert lines[1:] == [str(1000 * row) for row in range(1, rows + 1)]


def test_tables_are_taken_one_by_one_so_that_packets_stream():
    taken = []

    def tables():
        for number in range(3):
            taken.append(number)
            yield flows(1)

    class Out(io.BytesIO):
        def write(self, octets):
            progress.append(len(taken))
            return super().write(octets)

    progress: list[int] = []
    formats.find("tsv").write(Out(), Rows(tables(), flows().columns), Screen())
    assert progress == [0, 1, 2, 3]


def test_tsv_cells_that_hold_anything_read_back():
    listing = Listing({"field": NASTY[:-1], "value": list(range(len(NASTY) - 1))})
    rows = read_tsv(written("tsv", listing))[1:]
    assert [field.removeprefix("'") for field, _ in rows] == NASTY[:-1]


def test_tsv_cells_that_a_spreadsheet_would_run_get_an_apostrophe():
    rows = read_tsv(written("tsv", Listing({"field": [*FORMULAS, "plain"], "value": list(range(-1, len(FORMULAS)))})))[
        1:
    ]
    assert [field for field, _ in rows] == [*(f"'{cell}" for cell in FORMULAS), "plain"]
    assert rows[0][1] == "-1", "a number is no formula"


@given(st.lists(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))), min_size=1))
def test_cells_of_any_text_are_quoted_as_the_standard_library_quotes_them(cells):
    assume(not any(cell.startswith(FORMULA_STARTS) for cell in cells))
    listing = Listing({"place": list(range(len(cells))), "cell": cells})
    expected = io.StringIO()
    csv.writer(expected, lineterminator="\n").writerows([listing.columns, *enumerate(cells)])
    assert written("csv", listing) == expected.getvalue()
    assert [json.loads(line)["cell"] for line in written("ndjson", listing).splitlines()] == cells


odd_texts = st.text(st.sampled_from('ab 1\\",=+-@\t\r\n\x1b\u202e\u00e9\U0001f600'), max_size=4)


@pytest.mark.parametrize("name", ["tsv", "csv"])
@example(["a\nb"])
@given(st.lists(odd_texts | st.integers(-5, 5) | st.floats(), min_size=1, max_size=5))
def test_cells_are_the_same_written_at_once_and_one_by_one(name, cells):
    def lines(cells: list[Any]) -> bytes:
        out = io.BytesIO()
        formats.find(name).write(out, Rows([Listing({"cell": cells})], ("cell",)))
        return out.getvalue()

    assert lines([*cells, None]) == lines(cells) + b"\n"  # None has no text of its own: all are written one by one


def test_csv_cells_that_a_spreadsheet_would_run_get_an_apostrophe():
    rows = list(csv.reader(io.StringIO(written("csv", Listing({"field": NASTY, "value": list(range(-1, 10))})))))[1:]
    assert [field for field, _ in rows[:4]] == ["'=1+2", "'+1", "'-1", "'@SUM(A1)"]
    assert all(field.startswith("'") for field, _ in rows[4:6])
    assert rows[7][0] == "back\\slash"
    assert rows[0][1] == "-1", "a number is no formula"


OF_TEXT = [name for name in formats.names() if not hasattr(formats.find(name), "BINARY")]
OF_ANY_ROWS = [name for name in OF_TEXT if not hasattr(formats.find(name), "SEMANTICS")]  # conn.log holds no free text


@pytest.mark.parametrize("name", OF_ANY_ROWS)
def test_no_format_of_text_lets_a_control_character_through(name):
    text = written(name, Listing({"field": [*NASTY, "\u202etxt.exe", "\x9b2J"]}), chosen=True)
    assert not UNTOUCHABLE.search(text)


def test_an_object_becomes_rows_where_a_format_has_no_objects():
    members = {"packets": 3, "in_order": True, "nothing": None, "inputs": [{"name": "x"}], "ledger": {"counted": 3}}
    out = io.BytesIO()
    formats.write_object("tsv", out, members)
    assert read_tsv(out.getvalue().decode()) == [
        ["field", "value"],
        ["packets", "3"],
        ["in_order", "true"],
        ["nothing", ""],
        ["inputs.0.name", "x"],
        ["ledger.counted", "3"],
    ]


@pytest.mark.parametrize(("name", "lines"), [("json", 5), ("ndjson", 1)])
def test_an_object_in_json_has_a_schema(name, lines):
    out = io.BytesIO()
    formats.write_object(name, out, {"packets": 3})
    text = out.getvalue().decode()
    assert json.loads(text)["schema"] == 1
    assert json.loads(text)["packets"] == 3
    assert text.count("\n") == lines


def columns_of(text: str) -> int:
    """Width of the widest line on a terminal."""
    wide = {"W", "F"}
    return max(sum(1 + (unicodedata.east_asian_width(c) in wide) for c in line) for line in text.splitlines())


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 200])
def test_a_table_for_people_fits_its_screen(width):
    out = io.BytesIO()
    formats.find("table").write(out, Rows([flows()], flows().columns), Screen(width))
    assert columns_of(out.getvalue().decode()) <= width


def test_a_table_for_people_has_words_and_units():
    text = written("table", flows())
    assert "192.0.2.1:40001 → 192.0.2.255:53" in text
    assert "UDP" in text
    assert "8.0 EiB" in text
    assert "3,000" in text


def test_a_verdict_that_nobody_got_has_no_column():
    lines = written("table", flows()).splitlines()
    assert "partial" in lines[1]
    assert "bad" not in lines[1]


def test_the_columns_asked_for_are_all_and_only_those_shown():
    text = written("table", flows(), columns=("dst_port", "bad", "first"), chosen=True)
    assert re.findall(r"\w+", text.splitlines()[2]) == ["port", "bad", "first"]
    assert "2023-11-14T22:13:20.000000001Z" in text
    assert "192.0.2" not in text


def test_sockets_too_long_for_one_line_take_two():
    wide = flows(2)
    values = wide.to_dict() | {"src_ip": np.arange(32, dtype=np.uint8).reshape(2, 16) + 100}
    text = written("table", Table(values))
    assert re.search(r"\[6465:6667:.*\]:40000 +[\d,]+", text)
    assert "│ → 192.0.2.255:53" in re.sub(r"│ +", "│ ", text)


def test_the_footer_says_how_many_rows_are_left_out_and_how_to_have_them():
    text = written("table", flows(), noun="flows", left_out=lambda: 4812)
    assert "… 4,812 more flows (-n 0 for all, -f csv to export)" in text.splitlines()
    assert "… more packets (" in written("table", flows(), noun="packets", left_out=lambda: None)
    assert "more" not in written("table", flows())


def test_a_table_without_rows_says_so():
    assert written("table", flows(0), noun="flows") == "no flows\n"


def test_colour_is_only_there_when_asked_for():
    plain, colored = io.BytesIO(), io.BytesIO()
    for out, color in ((plain, False), (colored, True)):
        formats.find("table").write(out, Rows([flows()], flows().columns), Screen(80, color))
    assert b"\x1b" not in plain.getvalue()
    assert re.sub(rb"\x1b\[[0-9;]*m", b"", colored.getvalue()) == plain.getvalue()


def test_a_terminal_without_unicode_gets_ascii():
    out = io.BytesIO()
    formats.find("table").write(out, Rows([flows()], flows().columns), Screen(80, encoding="ascii"))
    assert out.getvalue().decode("ascii").startswith("+--")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (2**20 - 1, "1.0 MiB"),
        (5 * 2**40, "5.0 TiB"), (2**64 - 1, "16.0 EiB"),
    ],
)  # fmt: skip
def test_octets_in_binary_units(number, expected):
    assert human.octets(number) == expected


@pytest.mark.parametrize(
    ("ns", "expected"),
    [
        (0, "0 ns"), (999, "999 ns"), (1_500, "1.5 µs"), (999_999, "999.9 µs"), (12_345_678, "12.3 ms"),
        (999_999_999, "999.9 ms"), (51_700_000_000, "51.7 s"), (59_999_999_999, "59.9 s"), (899 * 10**9, "14m 59s"),
        (3_600 * 10**9, "1h 00m"), (90_000 * 10**9, "1d 01h"), (2**63 - 1, "106751d 23h"),
    ],
)  # fmt: skip
def test_durations_never_round_up_into_the_next_unit(ns, expected):
    assert human.duration(ns) == expected
