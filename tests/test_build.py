"""The build names what it lacks and leaves out nothing; a count of instructions that found nothing is a failure."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import fluxcap

ROOT = Path(__file__).parents[1]


def test_without_a_compiler_the_error_names_it(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "setup.py", "build_ext", "--build-lib", tmp_path],
        cwd=ROOT,
        env={**os.environ, "CC": "no-such-compiler -O2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "the C compiler 'no-such-compiler' is missing" in done.stderr


def test_the_source_distribution_holds_every_tracked_file_and_nothing_compiled(tmp_path):
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("this is no checkout")
    there = {name for name in tracked.stdout.splitlines() if (ROOT / name).exists()}
    listing = [sys.executable, ROOT / "setup.py", "-q", "egg_info", "--egg-base", tmp_path]
    subprocess.run(listing, cwd=ROOT, capture_output=True, check=True)
    held = (tmp_path / "fluxcap.egg-info" / "SOURCES.txt").read_text().splitlines()
    assert there - {*held} == set()
    assert [name for name in held if name.endswith((".so", ".pyc"))] == []


def test_a_source_tree_that_nobody_installed_knows_its_version():
    program = (
        "import importlib.metadata as metadata\n"
        "there = metadata.distribution\n"
        "metadata.distribution = lambda name: there('not-there' if name == 'fluxcap' else name)\n"
        "import fluxcap; from fluxcap.cli.versions import versions\n"
        "fluxcap.read_flows('samples/verdicts.pcap').to_pandas()\n"
        "print(fluxcap.__version__, versions().split()[1])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == ([fluxcap.__version__] * 2, "")


def build_of(source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a core of one line with the project's setup.py."""
    (folder / "pyx" / "fluxcap").mkdir(parents=True, exist_ok=True)
    (folder / "pyx" / "fluxcap" / "_core.pyx").write_text(source)
    (folder / "setup.py").write_bytes((ROOT / "setup.py").read_bytes())
    build = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", "built"]
    quick = {**os.environ, "FLUXCAP_QUICK": "1"}
    return subprocess.run(build, cwd=folder, env=quick, capture_output=True, text=True, check=False)


def test_a_source_that_changed_is_built_anew(tmp_path):
    says = [sys.executable, "-ES", "-c", "import fluxcap._core as core; print(core.said)"]
    for source in ("said = 1", "said = 2"):
        assert build_of(source, tmp_path).returncode == 0
        done = subprocess.run(says, cwd=tmp_path / "built", capture_output=True, text=True, check=True)
        assert f"said = {done.stdout.strip()}" == source


def test_an_error_in_a_source_ends_the_build(tmp_path):
    done = build_of("said = ", tmp_path)
    assert done.returncode != 0
    assert "Cython found errors in pyx/fluxcap/_core.pyx" in done.stderr


@pytest.mark.parametrize("said", ["", "==1== Collected : 0\n"])
def test_instructions_that_were_not_counted_are_no_success(said):
    count = runpy.run_path(str(ROOT / ".ci" / "instructions.py"))
    with pytest.raises(SystemExit, match=r"counted no instruction of __pyx_f_7fluxcap_8pipeline_4scan_scan"):
        count["collected"](said)


def test_instructions_are_counted_of_a_function_that_is_there():
    count = runpy.run_path(str(ROOT / ".ci" / "instructions.py"))
    source = (ROOT / "pyx").joinpath(*count["MODULE"]).with_suffix(".pxd").read_text()
    assert f" {count['FUNCTION']}(" in source


def test_functions_that_tests_do_not_reach_are_named_as_long_as_they_are_there():
    places, gone = runpy.run_path(str(ROOT / ".ci/coverage.py"))["named"]()
    assert gone == []
    assert places
