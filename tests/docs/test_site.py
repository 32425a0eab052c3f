"""The site made of docs/: it builds without a warning, has no dead links, and loads nothing from another host."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest

import fluxcap
from command_line import fluxcap as fluxcap_command
from fluxcap.cli.main import COMMANDS

pytestmark = pytest.mark.slow  # the site takes a quarter of a minute to build

ROOT = Path(__file__).parents[2]
PATIENCE = 300  # seconds
LOADED = {"link": "href", "script": "src", "img": "src", "source": "src", "iframe": "src", "object": "data"}
MADE_HERE = {"genindex.html", "search.html"}  # by Sphinx, not from a page


class Page(NamedTuple):
    """The links of one HTML file, what it loads, and its anchors."""

    links: list[str]
    loaded: list[str]
    anchors: set[str]


class Reader(HTMLParser):
    """Collects a Page."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page([], [], set())

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.page.anchors.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.page.links.append(given["href"])
        if LOADED.get(tag) in given:
            self.page.loaded.append(given[LOADED[tag]])

    handle_startendtag = handle_starttag


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--nitpicky", "--fail-on-warning", "--quiet"]
    done = subprocess.run(
        [*command, "--doctree-dir", out / "doctrees", ROOT / "docs", out / "html"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return out / "html"


@pytest.fixture(scope="module")
def pages(site):
    found = {}
    for path in site.rglob("*.html"):
        reader = Reader()
        reader.feed(path.read_text())
        found[path] = reader.page
    return found


def is_elsewhere(address: str) -> bool:
    """Whether an address names another host."""
    return bool(urlsplit(address).netloc)


def test_every_page_of_docs_is_a_page_of_the_site(site):
    sources = [path for suffix in ("md", "rst", "ipynb") for path in (ROOT / "docs").rglob(f"*.{suffix}")]
    expected = {path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in sources}
    made = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert made - MADE_HERE == expected - {"README.html"}  # whose text is on index.html


def test_every_page_can_be_reached_from_the_front_page(site, pages):
    reached, ahead = set(), [site / "index.html"]
    while ahead:
        path = ahead.pop()
        if path in pages and path not in reached:
            reached.add(path)
            inside = [urlsplit(link) for link in pages[path].links if not is_elsewhere(link)]
            ahead += [(path.parent / unquote(link.path)).resolve() for link in inside]
    assert {path.relative_to(site).as_posix() for path in pages if path not in reached} <= MADE_HERE


def test_every_link_inside_the_site_leads_to_a_file_and_an_anchor_that_it_has(pages):
    broken = []
    for path, page in pages.items():
        for address in page.links + page.loaded:
            link = urlsplit(address)
            if link.scheme in ("data", "mailto") or link.netloc:
                continue
            target = (path.parent / unquote(link.path)).resolve() if link.path else path
            anchored = not link.fragment or target not in pages or unquote(link.fragment) in pages[target].anchors
            if not target.exists() or not anchored:
                broken.append((path.name, address))
    assert broken == []


def test_no_page_loads_anything_from_another_host(pages):
    loaded = [(path.name, address) for path, page in pages.items() for address in page.loaded]
    assert [(name, address) for name, address in loaded if is_elsewhere(address)] == []


@pytest.mark.parametrize("suffix", ["css", "svg", "html"])
def test_no_style_and_no_picture_loads_anything_from_another_host(site, suffix):
    loading = re.compile(r"""(?:@import|url\()\s*['"]?\s*(?:https?:)?//|<(?:image|use)[^>]*href=['"]https?:""")
    assert [path.name for path in site.rglob(f"*.{suffix}") if loading.search(path.read_text())] == []


def test_a_link_that_leaves_docs_leads_to_a_page_and_not_to_a_download(site):
    assert not (site / "_downloads").exists()


def test_every_public_name_is_in_the_reference_of_python(pages, site):
    anchors = pages[site / "reference" / "python.html"].anchors
    assert [name for name in fluxcap.__all__ if f"fluxcap.{name}" not in anchors] == ["__version__"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_in_the_reference_of_the_command_line(command, pages, site):
    usage = fluxcap_command(command, "--help").stdout
    options = set(re.findall(r"(?<=[\s,])--?[a-z][a-z-]*(?=[ ,\n])", usage.partition("options:")[2])) - {"-h", "--help"}
    anchors = pages[site / "reference" / "command-line.html"].anchors
    assert options
    assert sorted(name for name in options if f"cmdoption-fluxcap-{command}-{name.lstrip('-')}" not in anchors) == []
