"""A real capture compared with itself: nothing is lost, whatever its clock did."""

import warnings

import pytest

import fluxcap
from real_captures import CORPUS, index, needs_corpus, spread

CAPTURES = 400
HALF = 2


@needs_corpus
@pytest.mark.parametrize("part", range(HALF))
def test_nothing_is_lost_between_a_capture_and_itself(part):
    found, seen = {}, 0
    for path in spread((row for row in index() if row["capinfos_rc"] == "0"), CAPTURES)[part::HALF]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            comparison = fluxcap.read_comparison(CORPUS / path, CORPUS / path)
        flows = comparison.flows
        seen += int(flows["arrived"].sum())
        if flows["lost"].any() or flows["appeared"].any() or flows["changed"].any() or flows["dscp_changed"].any():
            found[path] = {name: int(flows[name].sum()) for name in ("sent", "lost", "appeared", "changed")}
    assert found == {}
    assert seen > 10_000
