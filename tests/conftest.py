"""Captures as files, for the tests of the command line."""

from pathlib import Path

import pytest

from dialogues import BAD, CUT, GOOD


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.pcap"
    path.write_bytes(GOOD)
    return path


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    path = tmp_path / "cut.pcap"
    path.write_bytes(CUT)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.pcap"
    path.write_bytes(BAD)
    return path
