"""The notebooks of docs/ run from their start to their end, with the outputs that are committed."""

import re
from importlib.util import find_spec
from itertools import zip_longest

import nbformat
import pytest
from PIL import ImageChops, ImageStat

import notebooks

AGAIN = "`python tests/support/notebooks.py NAME` runs it and puts what it shows into the file"
ALIKE = 1.0  # of 255, in the mean of all pixels: other antialiasing, but no other colour of a bar
PICTURES = {"tour": 5, "analyst": 2}
# NFStream has wheels for some machines only.
NAMES = ["tour", *(["analyst"] if find_spec("nfstream") else [])]


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def committed(name):
    return nbformat.read(notebooks.path_of(name), as_version=4)


@pytest.fixture(scope="module")
def run(name):
    return notebooks.executed(notebooks.path_of(name))


def texts(of):
    """What is shown as text; warnings of other programs depend on the machine."""
    return [
        output.get("text") or output.data["text/plain"]
        for output in notebooks.outputs(of)
        if output.get("name") != "stderr"
    ]


def pictures(of):
    return [notebooks.picture(output) for output in notebooks.outputs(of) if notebooks.PNG in output.get("data", {})]


def test_a_notebook_says_what_it_said(committed, run):
    assert texts(run) == texts(committed), AGAIN


def test_the_plots_of_a_notebook_are_those_that_a_reader_sees_without_running_it(name, committed, run):
    assert len(pictures(committed)) == PICTURES[name]
    for ours, theirs in zip_longest(pictures(run), pictures(committed)):
        assert [abs(a - b) < 20 for a, b in zip(ours.size, theirs.size, strict=True)] == [True, True], AGAIN
        difference = ImageChops.difference(ours.resize(theirs.size), theirs)
        assert sum(ImageStat.Stat(difference).mean) / 3 < ALIKE, AGAIN


def test_a_committed_notebook_is_small_and_holds_no_path_and_no_time_of_the_run(name, committed):
    assert notebooks.path_of(name).stat().st_size < 200_000
    assert [cell.metadata for cell in committed.cells] == [{}] * len(committed.cells)
    shown = "".join(str(output.get("data", output).get("text/html", "")) for output in notebooks.outputs(committed))
    assert re.findall(r"(?:/(?:home|root|tmp|usr|work)\b|site-packages)", shown + "".join(texts(committed))) == []
