"""Tables of a small capture, for the tests of what every table can do."""

import pytest

import fluxcap
from four_flows import CAPTURE


@pytest.fixture(scope="module")
def flows():
    return fluxcap.read_flows(CAPTURE)


@pytest.fixture(scope="module")
def packets():
    return fluxcap.read_packets(CAPTURE)
