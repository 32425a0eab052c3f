"""docs/tour.ipynb runs from its start to its end, with the outputs that are committed."""

import re
from itertools import zip_longest

import nbformat
import pytest
from PIL import ImageChops, ImageStat

import tour

AGAIN = "python tests/support/tour.py runs it and puts what it shows into the file"
ALIKE = 1.0  # of 255, in the mean of all pixels: other antialiasing, but no other colour of a bar


@pytest.fixture(scope="module")
def committed():
    return nbformat.read(tour.TOUR, as_version=4)


@pytest.fixture(scope="module")
def run():
    return tour.executed(tour.TOUR)


def texts(of):
    return [output.get("text") or output.data["text/plain"] for output in tour.outputs(of)]


def pictures(of):
    return [tour.picture(output) for output in tour.outputs(of) if tour.PNG in output.get("data", {})]


def test_the_tour_says_what_it_said(committed, run):
    assert texts(run) == texts(committed), AGAIN


def test_the_plots_of_the_tour_are_those_that_a_reader_sees_without_running_it(committed, run):
    assert len(pictures(committed)) == 5
    for ours, theirs in zip_longest(pictures(run), pictures(committed)):
        assert [abs(a - b) < 20 for a, b in zip(ours.size, theirs.size, strict=True)] == [True, True], AGAIN
        difference = ImageChops.difference(ours.resize(theirs.size), theirs)
        assert sum(ImageStat.Stat(difference).mean) / 3 < ALIKE, AGAIN


def test_the_committed_tour_is_small_and_holds_no_path_and_no_time_of_the_run(committed):
    assert tour.TOUR.stat().st_size < 200_000
    assert [cell.metadata for cell in committed.cells] == [{}] * len(committed.cells)
    shown = "".join(str(output.get("data", output).get("text/html", "")) for output in tour.outputs(committed))
    assert re.findall(r"(?:/(?:home|root|tmp|usr|work)\b|site-packages)", shown + "".join(texts(committed))) == []
