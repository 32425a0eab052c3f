"""The docstring of every public name has its numpydoc sections; the examples in docstrings run."""

import doctest
import inspect
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest
from numpydoc.docscrape import NumpyDocString

import fluxcap

ROOT = Path(__file__).parents[2]
RUNS = doctest.DocTestParser()


class Public(NamedTuple):
    """A public name, or a method or property of a public class that the project defines."""

    name: str
    value: object

    def callable(self) -> bool:
        return inspect.isfunction(self.value)


def public() -> list[Public]:
    found = {}
    for name in fluxcap.__all__:
        value = getattr(fluxcap, name)
        if not callable(value):
            continue
        found[name] = value
        for base in inspect.getmro(value) if inspect.isclass(value) else ():
            if base.__module__.startswith("fluxcap"):
                members = {key: one for key, one in vars(base).items() if not key.startswith("_")}
                found |= {
                    one.fget.__qualname__ if isinstance(one, property) else one.__qualname__: one
                    for one in members.values()
                    if isinstance(one, property) or inspect.isfunction(one)
                }
    return [Public(name, found[name]) for name in sorted(found)]


PUBLIC = public()
NAMES = [one.name for one in PUBLIC]


def sections(one: Public) -> NumpyDocString:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # for sections that numpydoc does not know, or that occur twice
        return NumpyDocString(inspect.getdoc(one.value) or "")


def parameters(value: object) -> list[str]:
    return [name for name in inspect.signature(value).parameters if name != "self"]


def made_by_users() -> list[Public]:
    """Functions, methods, and classes that users call. A class that only a function makes names it in See Also."""
    return [one for one in PUBLIC if one.callable() or one.name == "FlowAggregator"]


@pytest.mark.parametrize("one", PUBLIC, ids=NAMES)
def test_a_docstring_begins_with_one_sentence_on_one_line(one):
    first = (inspect.getdoc(one.value) or "").split("\n\n")[0]
    assert first.endswith((".", "`."))
    assert "\n" not in first


@pytest.mark.parametrize("one", made_by_users(), ids=lambda one: one.name)
def test_parameters_are_those_of_the_signature_in_its_order_each_with_a_type(one):
    told = sections(one)["Parameters"]
    assert [entry.name.lstrip("*") for entry in told] == parameters(one.value)
    assert all(entry.type and entry.desc for entry in told)


@pytest.mark.parametrize("one", [one for one in PUBLIC if one.callable()], ids=lambda one: one.name)
def test_what_is_returned_is_told_where_something_is(one):
    gives = inspect.signature(one.value).return_annotation not in (None, "None")
    told = sections(one)
    assert bool(told["Returns"] or told["Yields"]) == gives
    assert all(entry.desc for entry in (*told["Returns"], *told["Yields"]))


@pytest.mark.parametrize(
    "one", [one for one in PUBLIC if "." not in one.name and one.callable()], ids=lambda one: one.name
)
def test_every_function_says_what_it_raises_and_shows_an_example(one):
    told = sections(one)
    assert told["Raises"]
    assert all(entry.type and entry.desc for entry in told["Raises"])
    assert told["Examples"]


@pytest.mark.parametrize(
    "one", [one for one in PUBLIC if ">>>" in (inspect.getdoc(one.value) or "")], ids=lambda one: one.name
)
def test_the_examples_run_and_print_what_they_show(one, monkeypatch):
    monkeypatch.chdir(ROOT)
    case = RUNS.get_doctest(inspect.getdoc(one.value), {}, one.name, None, None)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(case, out=said.append)
    assert not said, "".join(said)


def test_help_shows_one_parameter_a_line():
    lines = (inspect.getdoc(fluxcap.read_flows) or "").splitlines()
    for name in parameters(fluxcap.read_flows):
        assert [line.split(" : ")[0] for line in lines].count(name) == 1
