"""Real captures: the samples, and a folder that FLUXCAP_CORPUS names; what tools say of each is in its INDEX.tsv."""

import csv
import os
from pathlib import Path

import pytest

FOLDER = os.environ.get("FLUXCAP_CORPUS")
CORPUS = Path(FOLDER or "")
SAMPLES = Path(__file__).parents[2] / "samples"

needs_corpus = pytest.mark.corpus  # skipped by tests/conftest.py where FOLDER is None


def index() -> list[dict[str, str]]:
    """The rows of its index; none where there is no folder."""
    if FOLDER is None:
        return []
    with (CORPUS / "INDEX.tsv").open(newline="") as rows:
        return list(csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE))
