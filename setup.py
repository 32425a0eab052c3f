"""The one compiled module. Everything else about the project is in pyproject.toml."""

import gc
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

# Cython keeps what it has read until it ends: to look through it for garbage took a third of its time.
gc.disable()

compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]


def family(compiler: str) -> str:
    """Whether a compiler is GCC or Clang, as each warns of options that only the other one has."""
    try:
        said = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:  # no compiler, reported below
        return ""
    return "gcc" if "Free Software Foundation" in said else "clang" if "clang" in said else ""


FAMILY = family(compiler)
# FLUXCAP_QUICK=1 takes three quarters of the time; the core then runs slower. It is meant for the minute between edits.
QUICK = os.environ.get("FLUXCAP_QUICK") == "1"
# FLUXCAP_DEBUG=1 builds with every check that can find a mistake, FLUXCAP_DEBUG=threads with the one for races between
# threads: `.ci/sanitize` shows how to run both. FLUXCAP_DEBUG=coverage counts lines for `.ci/coverage.py`.
CHECKS = {"1": "-fsanitize=address,undefined", "threads": "-fsanitize=thread", "coverage": "--coverage"}
ASKED = os.environ.get("FLUXCAP_DEBUG", "")
CHECK = [CHECKS[ASKED]] if ASKED in CHECKS else []
COUNTED = ASKED == "coverage"
DEBUG = ASKED in CHECKS and not COUNTED
# A key is a struct, and it is masked, compared and hashed as words: the same memory under two types.
PUNNING = "-fno-strict-aliasing"
# The walk over the headers of a packet is one large function. GCC stops inlining into a function at 2,700 of its
# instructions; parts that most packets need would stay out, which costs 6 % more instructions a packet. A function of
# 14 instructions is inlined before others are looked at; with 60 the lane takes 1 % less. Clang leaves out what costs
# more than 225 in its own measure, which makes it 20 % more; with 1,500 it takes as long as GCC.
INLINING = {
    "gcc": ["--param=large-function-insns=20000", "--param=early-inlining-insns=60"],
    "clang": ["-mllvm", "-inline-threshold=1500"],
}.get(FAMILY, [])
# One module is compiled by one processor. GCC divides it between all of them if it optimizes while it links: two take
# 33 s, one takes 47. Eight pieces take 6 % less than the 28 that GCC makes of this module; more processors are idle.
DIVIDED = [f"-flto={os.cpu_count() or 1}"] if FAMILY == "gcc" and not CHECK else []
PIECES = ["--param=lto-partitions=8"] if DIVIDED else []
# Processors of today order instructions by themselves: GCC takes a tenth of its time for it, and gains nothing.
UNORDERED = ["-fno-schedule-insns2"] if FAMILY == "gcc" else []

# Python's own flags ask for debug information, three quarters of the wheel; -g0 leaves only the names of functions.
DEBUGGING = ["-O1", "-g", "-Werror", "-fno-sanitize-recover=undefined"]

# Directives of Cython.
DIRECTIVES = {
    "language_level": 3,
    "auto_pickle": False,  # no class of the core can be pickled, with methods that say so or without
    "emit_code_comments": False,
    "boundscheck": DEBUG,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": DEBUG,
    "embedsignature": True,
}

core = Extension(
    "fluxcap._core",
    ["pyx/fluxcap/_core.pyx"],
    include_dirs=["pyx/fluxcap"],
    depends=["setup.py", *(str(path) for path in Path("pyx").rglob("*.[ph]*"))],
    extra_compile_args=[
        PUNNING,
        "-Wno-misleading-indentation",  # nobody reads how Cython indents, and GCC looks at it for 14 s
        *([] if COUNTED else INLINING),  # of a function that is inlined early, GCC counts not every line
        *DIVIDED,
        *UNORDERED,
        *(DEBUGGING if DEBUG else ["-O1" if QUICK or COUNTED else "-O3", "-g0"]),
        *CHECK,
    ],
    extra_link_args=[*CHECK, *DIVIDED, *PIECES],
)

headers = Path(sysconfig.get_path("include"), "Python.h")
if not {"sdist", "egg_info"}.intersection(sys.argv):
    if not shutil.which(compiler):
        sys.exit(f"fluxcap is compiled when it is installed: the C compiler '{compiler}' is missing (apt install gcc)")
    if not headers.exists():
        sys.exit(f"fluxcap is compiled when it is installed: {headers} is missing (apt install python3-dev)")

MANUAL = Path("build", "fluxcap.1")
MAKES_MANUAL = "from argparse_manpage.cli import main; main()"


class BuildCore(build_ext):
    """Calls Cython itself: cythonize() first asks for 118,000 names whether they are files that the core needs."""

    def build_extension(self, ext):
        from setuptools.modified import newer_group

        made = Path(self.build_temp, "_core.c")
        if self.force or newer_group(ext.depends, made):
            made.parent.mkdir(parents=True, exist_ok=True)
            self.make_c(ext, made)
        ext.sources = [str(made)]
        super().build_extension(ext)

    def make_c(self, ext, made):
        from Cython.Compiler.Main import CompilationOptions, compile

        # Lines in reports of checks are those of pyx/, not of the C that Cython makes.
        named = {"include_path": ["pyx", *ext.include_dirs], "output_file": str(made), "emit_linenums": bool(CHECK)}
        options = CompilationOptions(compiler_directives=DIRECTIVES, **named)
        if compile(ext.sources[0], options, ext.name).num_errors:
            sys.exit(f"Cython found errors in {ext.sources[0]}")
        gc.freeze()  # Python looks through it once more when it ends, for 2.5 s


class BuildWithManual(build):
    """Makes the manual page, too, from the parsers of the command line that was just built."""

    def run(self):
        super().run()
        MANUAL.parent.mkdir(exist_ok=True)
        path = os.pathsep.join(filter(None, (self.build_lib, os.environ.get("PYTHONPATH"))))
        made = [sys.executable, "-c", MAKES_MANUAL, "--module", "fluxcap.cli.manual", "--function", "manual"]
        about = ["--description", self.distribution.get_description(), "--version", self.distribution.get_version()]
        titles = ["--project-name", "fluxcap", "--manual-title", "fluxcap", *about, "--output", str(MANUAL)]
        subprocess.run([*made, *titles], env={**os.environ, "PYTHONPATH": path}, check=True)


setup(
    ext_modules=[core],
    cmdclass={"build": BuildWithManual, "build_ext": BuildCore},
    data_files=[("share/man/man1", [str(MANUAL)])],
)
