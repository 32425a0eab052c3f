"""The build says what it needs."""

import os
import subprocess
import sys
from pathlib import Path

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
