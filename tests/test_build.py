"""The build names what it lacks, and a count of instructions that found nothing is a failure."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("said", ["", "==1== Collected : 0\n"])
def test_instructions_that_were_not_counted_are_no_success(said):
    count = runpy.run_path(str(ROOT / ".ci" / "instructions.py"))
    with pytest.raises(SystemExit, match=r"counted no instruction of __pyx_f_7fluxcap_8pipeline_4scan_scan"):
        count["collected"](said)


def test_instructions_are_counted_of_a_function_that_is_there():
    count = runpy.run_path(str(ROOT / ".ci" / "instructions.py"))
    source = (ROOT / "pyx").joinpath(*count["MODULE"]).with_suffix(".pxd").read_text()
    assert f" {count['FUNCTION']}(" in source
