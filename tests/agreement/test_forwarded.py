"""What was between two hosts is read from the captures of both, as the forwarder between them has logged it."""

import os

import pytest

from fates import MS, US, Treatment
from forwarded import forwarded
from passage_checks import disagreements, unlogged
from passages import FATES

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("FLUXCAP_RECORD") != "1", reason="made anew with FLUXCAP_RECORD=1, as root"),
]

SEED, SHARE = 4, 0.02
QUICK = {"seed": SEED, "delay": 4 * MS, "jitter": 200 * US}
EVERYTHING = Treatment(**QUICK, **dict.fromkeys((*FATES, "remarked", "lowered"), SHARE), clamped=True, hops=1)
WIRES = {
    "nothing": (Treatment(**QUICK), False),
    "everything": (EVERYTHING, False),
    "translated": (Treatment(**QUICK, **dict.fromkeys(FATES, SHARE), translated=0.7), False),
    "offloaded": (EVERYTHING, True),
}


@pytest.fixture(scope="module", params=WIRES)
def wire(request, tmp_path_factory):
    treatment, offloaded = WIRES[request.param]
    return offloaded, forwarded(tmp_path_factory.mktemp(request.param), treatment, offloaded)


def test_the_log_is_what_both_captures_hold(wire):
    offloaded, between = wire
    captures = {point: path.read_bytes() for point, path in between.paths.items()}
    assert unlogged(between.passages, captures) == {"A": set(), "B": set()}
    assert disagreements(between.passages, captures, "AB" if offloaded else "") == []
