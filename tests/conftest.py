"""Captures as files, for the tests of the command line and of extraction; skips tests of a missing corpus."""

import signal
from pathlib import Path

import pytest
from hypothesis import settings

from cli_captures import BAD, CUT, GOOD
from real_captures import FOLDER
from three_flows import SHAPES

# A test judges what is right, not how busy the machine is.
settings.register_profile("untimed", deadline=None)
# Where every case takes many times as long, or has been tried already by another build: --hypothesis-profile=few.
settings.register_profile("few", deadline=None, max_examples=20)
settings.load_profile("untimed")

# Tests that a shell runs in the background, or nohup, ignore signals, and so would each command that they start.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if FOLDER is None and item.get_closest_marker("corpus"):
        pytest.skip("FLUXCAP_CORPUS names no folder of captures")


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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Six packets of three flows."""
    path = tmp_path / "in.pcap"
    path.write_bytes(SHAPES["us"])
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The file to extract to."""
    return tmp_path / "out"
