"""Make the sample captures: `make.py` records and crafts all of them, `make.py --crafted` works without root."""

import argparse
import os
import sys
from pathlib import Path

import crafted
import recorded


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these files (default: all)")
    parser.add_argument("--crafted", action="store_true", help="only the crafted ones, which are the same every time")
    parser.add_argument("--directory", type=Path, default=Path(__file__).parent, help="where they are written")
    arguments = parser.parse_args()
    crafted.make(arguments.directory, arguments.names)
    if arguments.crafted:
        return 0
    if os.geteuid() != 0:
        print("error: recording in network namespaces needs root\nhelp: use --crafted for the others", file=sys.stderr)
        return 2
    recorded.make(arguments.directory, arguments.names)
    return 0


if __name__ == "__main__":
    sys.exit(main())
