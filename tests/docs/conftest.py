"""Examples put what they make into a temporary directory; that of a test is removed after it."""

import tempfile
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # of commands
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
