"""The pages in docs/: the changes they show were made in the sources, and the files and names they mention exist."""

import re
from pathlib import Path

import column_reference
import pytest

import page_blocks
from fluxcap._core import (
    CONNECTION_COLUMNS,
    DIRECTION_BASES,
    EXTRA_COLUMNS,
    FLOW_COLUMNS,
    PACKET_COLUMNS,
    STATES,
    TUNNELS,
)
from fluxcap.values import names
from packet_cases import REGISTERED

ROOT = Path(__file__).parents[2]
PAGES = page_blocks.PAGES
LINK_TYPE = (ROOT / "docs" / "adding-a-link-type.md").read_text()

KEY_IN_A_ROW = {"protocol", "src_ip", "src_port", "dst_ip", "dst_port"}  # they are among the columns of flows
# Numbers that name or mark something, without a unit.
UNITLESS = {
    *("protocol", "src_port", "dst_port", "port", "peer_port", "vlan", "inner_vlan", "ethertype", "mpls_label"),
    *("tunnel_id", "tos", "flow_label", "file", "interface", "packet", "flow", "quoted_flow", "link_type"),
    *("ip_version", "checksum", "expected", "ip_checksum", "ip_expected", "tcp_seq", "tcp_ack", "tcp_window", "ttl"),
    *("ip_id", "depth", "duplicate_of", "duplicate_hops", "end_reason", "icmp_type", "icmp_code"),
    *("nat_src_port", "nat_dst_port"),
    *(f"{point}_{name}" for point in "ab" for name in ("file", "packet", "ttl", "dscp")),
}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def changes(page: str) -> dict[str, list[list[str]]]:
    """The hunks of every ```diff block by file: lines with a space, a plus or a minus before them."""
    hunks: dict[str, list[list[str]]] = {}
    for block in re.findall(r"```diff\n(.*?)```", page, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("+++ b/"):
                file = hunks.setdefault(line.removeprefix("+++ b/"), [])
            elif line.startswith("@@"):
                file.append([])
            elif not line.startswith("--- "):
                file[-1].append(line)
    return hunks


def side(hunk: list[str], sign: str) -> str:
    """The text of a hunk before ("-") or after ("+") the change."""
    return "".join(f"{line[1:]}\n" for line in hunk if line[0] in (" ", sign))


def reverted(text: str, hunks: list[list[str]]) -> str:
    """The text of a file with a change taken back."""
    for hunk in hunks:
        assert text.count(side(hunk, "+")) == 1, f"not in the file, or not once:\n{side(hunk, '+')}"
        text = text.replace(side(hunk, "+"), side(hunk, "-"))
    return text


@each_page
def test_a_change_that_a_page_shows_was_made_just_so(page):
    for file, hunks in changes(page.read_text()).items():
        text = (ROOT / file).read_text()
        assert len(text.splitlines()) - len(reverted(text, hunks).splitlines()) == sum(
            line.startswith("+") - line.startswith("-") for hunk in hunks for line in hunk
        )


def test_a_link_type_is_ten_lines_in_one_file_of_the_core_and_without_them_nothing_of_it_is_left():
    hunks = changes(LINK_TYPE)
    core = [file for file in hunks if file.startswith("pyx/")]
    assert core == ["pyx/fluxcap/layers/link.pxd"]
    lines = [line for hunk in hunks[core[0]] for line in hunk]
    assert [line[0] for line in lines if line[0] != " "] == ["+"] * 10
    assert "slip" not in reverted((ROOT / core[0]).read_text(), hunks[core[0]]).lower()
    others = [path for path in (ROOT / "pyx").rglob("*.p*") if path != ROOT / core[0]]
    assert [path for path in others if "slip" in path.read_text().lower()] == []


@pytest.mark.parametrize(
    ("page", "folder", "word"),
    [
        ("adding-a-tunnel.md", "pyx", "gre_in_udp"),
        ("adding-a-flow-column.md", "pyx", "ip_bad"),
        ("adding-a-verdict.md", "pyx", "RFC 9653"),
        ("adding-an-output-format.md", "src/fluxcap/formats", "tab-separated"),
        ("adding-a-command.md", "src/fluxcap/cli", '"repair"'),
    ],
)
def test_without_the_change_that_a_page_shows_nothing_of_it_is_left(page, folder, word):
    hunks = changes((ROOT / "docs" / page).read_text())
    before = {
        file: reverted(file.read_text(), hunks.get(str(file.relative_to(ROOT)), []))
        for file in (ROOT / folder).rglob("*.p*")
        if file.suffix in (".py", ".pxd", ".pxi", ".pyx")
    }
    assert any(word.lower() in file.read_text().lower() for file in before)
    assert [file for file, text in before.items() if word.lower() in text.lower()] == []


def test_every_page_about_adding_something_shows_how_it_was_added():
    pages = [page for page in PAGES if page.name.startswith("adding-")]
    assert len(pages) == 6
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    assert [page.name for page in pages if f"](docs/{page.name})" not in contributing] == []
    assert [page.name for page in pages if not changes(page.read_text())] == []


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_of_a_page_at_the_top_leads_to_a_file(name):
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", (ROOT / name).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_contributing_names_every_room():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    rooms = [
        path.name
        for folder in ("pyx/fluxcap", "src/fluxcap", "tests")
        for path in (ROOT / folder).iterdir()
        if path.is_dir() and not path.name.startswith(("_", "."))
    ]
    assert [name for name in rooms if f"`{name}/`" not in page] == []


@each_page
def test_the_files_and_tests_that_a_page_names_are_there(page):
    outside_changes = re.sub(r"```diff\n.*?```", "", page.read_text(), flags=re.DOTALL)
    named = re.findall(r"\b(?:pyx|src|tests|docs|samples)/[\w/.*-]+\.\w+", outside_changes)
    assert named
    assert [name for name in named if not any(ROOT.glob(name))] == []


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("columns.md", {"interval", *FLOW_COLUMNS, *PACKET_COLUMNS, *EXTRA_COLUMNS}),
        ("connections.md", {*CONNECTION_COLUMNS, *STATES, *DIRECTION_BASES}),
    ],
)
def test_every_column_that_is_always_there_or_on_request_is_explained(name, columns):
    page = (ROOT / "docs" / name).read_text()
    assert sorted(name for name in columns if f"`{name}`" not in page) == []


@pytest.mark.parametrize("name", column_reference.TABLES)
def test_the_tables_of_a_page_explain_the_columns_that_there_are_and_no_other(name):
    kind = column_reference.TABLES[name]
    explained = column_reference.meanings(kind)
    of_same_page = [other for other in column_reference.TABLES.values() if set(other.headings) & set(kind.headings)]
    there = {column for other in [kind, *of_same_page] for column in other.columns} | KEY_IN_A_ROW
    assert (set(kind.columns) - set(explained), set(explained) - there) == (set(), set())


@pytest.mark.parametrize("name", column_reference.TABLES)
def test_every_column_has_a_type_and_those_that_are_measured_have_a_unit(name):
    lines = list(column_reference.lines(column_reference.TABLES[name]))[2:]
    cells = [line.strip("| ").split(" | ") for line in lines]
    assert [
        row[0] for row in cells if not re.fullmatch(r"`(u?int\d+|float64|bytes\d+)`( \(n, (6|16)\))?", row[1])
    ] == []
    assert {row[0].strip("`") for row in cells if not row[2].strip()} <= UNITLESS


def test_every_column_call_and_role_of_sockets_is_explained():
    page = (ROOT / "docs" / "sockets.md").read_text()
    named = {*names.SOCKET_COLUMNS, *names.LIFE_COLUMNS, *names.CALLS, *names.ROLES, *names.EVIDENCE, *DIRECTION_BASES}
    assert sorted(name for name in named if f"`{name}`" not in page) == []


@each_page
def test_every_link_of_a_page_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_picture_of_speed_is_shown():
    shown = re.findall(r"!\[.+\]\((.+)\)", (ROOT / "docs" / "performance.md").read_text())
    assert sorted(shown) == sorted(f"performance/{path.name}" for path in (ROOT / "docs/performance").glob("*.svg"))


def test_the_page_of_tunnels_has_every_kind_with_its_registered_ports():
    page = (ROOT / "docs" / "tunnels.md").read_text()
    named = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|", page, re.MULTILINE)
    assert tuple(kind for kind, _ in named) == TUNNELS
    assert {kind: set(map(int, re.findall(r"\d+", ports))) for kind, ports in named if ports.strip()} == REGISTERED
