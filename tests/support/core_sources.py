"""What the sources of the core import, define and use, read off their text."""

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

PYX = Path(__file__).parents[2] / "pyx" / "fluxcap"
CIMPORT = re.compile(r"^from ([\w.]+) cimport (?:\(([^)]*)\)|([^\n(]+))\n", re.MULTILINE)
IMPORT = re.compile(r"^import (\w+)\n", re.MULTILINE)
# What defines a name for other files: structs, enums and their members, types of functions, functions, classes.
DEFINITION = re.compile(
    r"""^(?:cdef|ctypedef)[ ](?:struct|enum|class)[ ](\w+)
      | ^[ ]{4}ctypedef[ ]struct[ ](\w+) | ^[ ]{4}enum:[ ](\w+)
      | ^[ ]*ctypedef[ ].*\(\*(\w+)\) | ^ctypedef[ ][\w ]+[ ](\w+)$
      | ^(?:cdef|cpdef|def)[ ][^=\n]*?[ *](\w+)\(""",
    re.MULTILINE | re.VERBOSE,
)
ENUM = re.compile(r"^cdef enum\b.*:.*\n((?:(?:    .*)?\n)+)", re.MULTILINE)
MEMBER = re.compile(r"^    (\w+)(?: = [^#\n]*)?\s*(?:#.*)?$", re.MULTILINE)
EXTERN = re.compile(r"^cdef extern .*\n((?:(?:    .*)?\n)+)", re.MULTILINE)
PROTOTYPE = re.compile(r"^    [\w ]+[ *](\w+)\(", re.MULTILINE)
# What a file binds for itself: C variables and parameters, methods, loop variables, and what is assigned to.
TYPE = r"[\w.]+(?:\[[^\]]*\])?(?:\*+ ?| )"
NO_TYPE = r"(?!return |not |import |in |and |or |if |else |raise )"
BINDINGS = [
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        rf"^ *(?:cdef |cpdef |def )(?:readonly |inline |const )*(?:{TYPE})?(\w+)(?= *[=,(:\n\[#])",
        rf"(?:[(,]|^) *(?:const )?{NO_TYPE}{TYPE}(\w+)(?= *[=,)])",
        r"\bfor ([\w, ]+?) in\b",
        r"^ *([\w, ]+?) = ",
        r"\(\*(\w+)\)\(",
    )
]


def names_in(text: str) -> Iterator[str]:
    """Every name that is used, attributes apart; those inside the braces of f-strings too."""
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and before != ".":
            yield token.string
        elif token.type == tokenize.STRING and re.match(r"[rb]?f", token.string.lower()):
            for inside in re.findall(r"\{([^{}]*)\}", token.string):
                yield from re.findall(r"(?<![.\w])[A-Za-z_]\w*", inside)
        before = token.string


@dataclass(frozen=True)
class Source:
    """One file of the core."""

    path: Path
    text: str = field(repr=False)

    @property
    def room(self) -> str:
        return self.path.relative_to(PYX).parts[0]

    @cached_property
    def cimports(self) -> list[tuple[str, str, str]]:
        """(module, its name there, its name here)."""
        found = []
        for module, several, one in CIMPORT.findall(self.text):
            for name in (several or one).split(","):
                there, _, here = name.strip().partition(" as ")
                found.append((module, there, here or there))
        return found

    @cached_property
    def modules(self) -> set[str]:
        return {module for module, _, _ in self.cimports}

    @cached_property
    def imported(self) -> set[str]:
        return {here for _, _, here in self.cimports} | set(IMPORT.findall(self.text))

    @cached_property
    def constants(self) -> set[str]:
        return {name for members in ENUM.findall(self.text) for name in MEMBER.findall(members)}

    @cached_property
    def types(self) -> set[str]:
        return set(re.findall(r"^cdef (?:struct|enum|class) (\w+)", self.text, re.MULTILINE))

    @cached_property
    def defined(self) -> set[str]:
        prototypes = {name for body in EXTERN.findall(self.text) for name in PROTOTYPE.findall(body)}
        others = {name for names in DEFINITION.findall(self.text) for name in names if name}
        return self.constants | prototypes | others

    @cached_property
    def bound(self) -> set[str]:
        return {name for binding in BINDINGS for names in binding.findall(self.text) for name in names.split(", ")}

    @cached_property
    def used(self) -> set[str]:
        return set(names_in(IMPORT.sub("", CIMPORT.sub("", self.text))))


def sources(*suffixes: str) -> list[Source]:
    paths = (path for path in sorted(PYX.rglob("*")) if path.suffix in suffixes)
    return [Source(path, path.read_text()) for path in paths]
