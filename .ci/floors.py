"""Print the lowest versions that pyproject.toml admits, as constraints for pip.

usage: floors.py > constraints.txt
"""

import re
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
LOWEST = re.compile(r"^([\w.-]+)>=([\w.]+)")


def main() -> None:
    """Print one line for each requirement with a lowest version."""
    asked = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
    for name, version in sorted({found.groups() for one in asked if (found := LOWEST.match(one))}):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main()
