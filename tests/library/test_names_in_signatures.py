"""The types of parameters that take one of some names: editors complete them, so they are those that are taken."""

import inspect
import typing
from collections.abc import Collection

import pytest

import fluxcap
from fluxcap.lake.layout import PARTITIONS, Partition
from fluxcap.plan.keys import SETS, KeySet
from fluxcap.plan.semantics import PRESETS, SemanticsName
from fluxcap.values.arrow import IP_FORMS, IpForm
from fluxcap.values.other_names import CICFLOWMETER, SCHEMES, Scheme


@pytest.mark.parametrize(
    ("named", "taken"),
    [
        (IpForm, IP_FORMS),
        (KeySet, SETS),
        (Partition, PARTITIONS),
        (Scheme, (*SCHEMES, CICFLOWMETER)),
        (SemanticsName, PRESETS),
    ],
)
def test_the_names_of_a_type_are_those_that_are_taken(named: object, taken: Collection[str]) -> None:
    assert {*typing.get_args(named)} == {*taken}


TYPED = {"semantics": "SemanticsName | None", "names": "Scheme | None", "ip": "IpForm", "partition": "Partition"}


def test_every_public_parameter_that_takes_a_name_says_which_ones() -> None:
    public = [getattr(fluxcap, name) for name in fluxcap.__all__]
    functions = {one for one in public if inspect.isfunction(one)}
    for one in public:
        if inspect.isclass(one):
            functions |= {member for name, member in inspect.getmembers(one, inspect.isfunction) if name[0] != "_"}
    found = [
        (name, parameter.annotation)
        for function in functions
        for name, parameter in inspect.signature(function).parameters.items()
        if name in TYPED
    ]
    assert len(found) > 10
    assert [one for one in found if one[1] != TYPED[one[0]]] == []
