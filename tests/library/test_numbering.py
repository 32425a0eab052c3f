"""Numbers of flows and fragments of parts are in the order of the records that these began with."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcap.cluster.apart import FLOW_BITS, Numbering

# Of each part: what its flows begin with, in order. "f": a fragment, which the part counts in none.
several = st.lists(st.text("wf", max_size=12), min_size=1, max_size=9)


@given(parts=several, more=st.integers(0, 2**30))
def test_numbers_are_in_the_order_of_records(parts, more):
    numbering = Numbering(len(parts) + more)
    flows = [iter(numbering.of_flows(place, part.count("w")).tolist()) for place, part in enumerate(parts)]
    places = [
        (place, part[:at].count("w")) for place, part in enumerate(parts) for at, one in enumerate(part) if one == "f"
    ]
    fragments = numbering.of_fragments(*np.array(places, np.int64).reshape(-1, 2).T)
    if fragments is None:  # of so many parts
        assert max(map(places.count, places)) >= 2 ** (64 - FLOW_BITS - (len(parts) + more - 1).bit_length()) - 1
        return
    left = iter(fragments.tolist())
    made = [next(left) if one == "f" else next(flows[place]) for place, part in enumerate(parts) for one in part]
    assert made == sorted(set(made))


@pytest.mark.parametrize("places", [[(1, 0), (0, 0)], [(0, 1), (0, 0)], [(0, 0), (0, 1), (0, 0)]])
def test_fragments_in_another_order_have_no_numbers(places):
    assert Numbering(2).of_fragments(*np.array(places).T) is None
