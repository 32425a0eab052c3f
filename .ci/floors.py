"""Print the lowest versions that pyproject.toml admits, as constraints for pip.

usage: floors.py > constraints.txt
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

sys.path.insert(0, str(ROOT / "src"))  # this runs before fluxcap is installed
from fluxcap.tables.requirements import floors  # noqa: E402


def main() -> None:
    """Print one line for each requirement with a lowest version."""
    asked = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
    for name, version in sorted(floors(asked).items()):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main()
