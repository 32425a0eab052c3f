"""What the fuzzer has kept, read again by the build that is tested: inputs that reach much of the code, and finds."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from guided.readings import READINGS

CORPORA = Path(__file__).parent / "corpora"
FINDS = Path(__file__).parent / "finds"


def inputs(target: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(CORPORA / f"{target}.zip") as corpus:
        for name in corpus.namelist():
            yield name, corpus.read(name)


@pytest.mark.parametrize("target", READINGS)
def test_every_input_of_a_corpus_is_read_as_it_should_be(target):
    n = 0
    for name, octets in inputs(target):
        n += 1
        try:
            READINGS[target](octets)
        except AssertionError as error:
            raise AssertionError(f"{target}: {name}") from error
    assert n


@pytest.mark.parametrize("path", sorted(FINDS.iterdir()), ids=lambda path: path.name)
def test_what_was_found_once_is_read_as_it_should_be(path):
    READINGS[path.name.partition("-")[0]](path.read_bytes())
