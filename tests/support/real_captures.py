"""Real captures: the samples, and a folder that FLUXCAP_CORPUS names; what tools say of each is in its INDEX.tsv."""

import csv
import os
from collections import defaultdict
from collections.abc import Iterable
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


def spread(rows: Iterable[dict[str, str]], wanted: int) -> list[str]:
    """The paths of some rows: the first of every repository by digest of content, then the second of each, and so on.
    The digest makes the choice independent of any agreement."""
    of_repository = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["sha256"]):
        of_repository[row["repo"]].append(row)
    ranked = [(place, row["sha256"], row["path"]) for rows in of_repository.values() for place, row in enumerate(rows)]
    return [path for *_, path in sorted(ranked)[:wanted]]
