"""Packages that are missing are named in one way: with the extra of fluxcap that brings them."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

import fluxcap
from capture_files import pcap
from fluxcap.tables import requirements

EXTRAS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["optional-dependencies"]
EMPTY = pcap([])
ASKING = {  # by the module that is missing: its package, and what needs it
    "pandas": ("pandas", lambda: fluxcap.read_flows(EMPTY).to_pandas()),
    "polars": ("polars", lambda: fluxcap.read_flows(EMPTY).to_polars()),
    "pyarrow": ("pyarrow", lambda: fluxcap.read_flows(EMPTY).to_arrow()),
    "duckdb": ("duckdb", lambda: fluxcap.read_flows(EMPTY).to_duckdb()),
    "arro3.io": ("arro3-io", lambda: fluxcap.read_flows(EMPTY).write("x.parquet")),
    "cypcap": ("cypcap", lambda: fluxcap.read_flows(EMPTY, where="udp")),
}


@pytest.mark.parametrize("module", ASKING)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(module, monkeypatch, tmp_path):
    package, ask = ASKING[module]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError) as caught:
        ask()
    found = re.fullmatch(r".+ needs the package (\S+); run `pip install 'fluxcap\[(\w+)\]'`", str(caught.value))
    assert found, caught.value
    assert found[1] == package
    assert any(one.startswith(package) for one in EXTRAS[found[2]])


@pytest.mark.parametrize("package", requirements.EXTRAS)
def test_an_extra_brings_its_package(package):
    assert any(one.startswith(package) for one in EXTRAS[requirements.EXTRAS[package]])
