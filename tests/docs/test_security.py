"""The page about security names limits as the sources have them."""

import re

import pytest

from page_blocks import ROOT

PAGE = (ROOT / "SECURITY.md").read_text()
LIMITS = re.findall(r"^\| `([A-Z_]+)` \| ([\d,]+) \| [^|]+ \| `([\w/.]+)` \|$", PAGE, re.MULTILINE)


def value_in_source(name: str, source: str) -> int:
    (text,) = re.findall(rf"^ +{name} = ([\dx<* ]+?) *(?:#.*)?$", source, re.MULTILINE)
    return int(eval(text, {}))  # a product or a shift of numbers


def test_the_page_has_limits():
    assert len(LIMITS) == PAGE.count("\n| `")


@pytest.mark.parametrize(("name", "number", "path"), LIMITS, ids=[name for name, _, _ in LIMITS])
def test_a_limit_is_that_of_the_source(name, number, path):
    assert value_in_source(name, (ROOT / "pyx" / "fluxcap" / path).read_text()) == int(number.replace(",", ""))


def test_files_that_the_page_names_are_there():
    for path in re.findall(r"`((?:tests|\.ci|pyx)/[\w/.]+)", PAGE):
        assert (ROOT / path).exists(), path
