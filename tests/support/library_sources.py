"""What each module of the library imports, read off its syntax tree: inside functions and for type checkers too."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "fluxcap"
PACKAGE = SRC.name
EXTENSION = "_core"  # compiled from pyx/


@dataclass(frozen=True)
class Import:
    """One name, or a whole module, that a module takes from another one of the library."""

    module: str  # dotted, without the package: "tables.flows"; "" for the package itself
    name: str | None  # None for the module as a whole


@dataclass(frozen=True)
class Module:
    """A module of the library."""

    path: Path
    imports: frozenset[Import]

    @property
    def name(self) -> str:
        """Dotted, without the package: "tables.flows", "plan" for a package, "" for that of the library."""
        parts = self.path.relative_to(SRC).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def modules(self) -> set[str]:
        """The modules that it imports."""
        return {one.module for one in self.imports}


def modules() -> list[Module]:
    """The modules of the library, in the order of their paths."""
    return [Module(path, imports_in(path.read_text())) for path in sorted(SRC.rglob("*.py"))]


def imports_in(text: str) -> frozenset[Import]:
    """The imports from the library anywhere in this source."""
    return frozenset(one for node in ast.walk(ast.parse(text)) for one in _imports(node))


def _imports(node: ast.AST) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.split(".")[0] == PACKAGE:
                yield Import(_inside(alias.name), None)
    elif isinstance(node, ast.ImportFrom):
        if node.level:
            raise ValueError(f"line {node.lineno}: relative imports do not say which room they name")
        if (node.module or "").split(".")[0] == PACKAGE:
            for alias in node.names:
                whole = _inside(f"{node.module}.{alias.name}")
                yield Import(whole, None) if _is_module(whole) else Import(_inside(node.module or ""), alias.name)


def _inside(dotted: str) -> str:
    return dotted.partition(".")[2]


def _is_module(name: str) -> bool:
    path = SRC.joinpath(*name.split("."))
    return name == EXTENSION or path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
