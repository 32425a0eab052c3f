"""Compare the agreement with tshark that a log reports with the level reached before; exit 1 where it has fallen.

usage: ratchet.py LOG
"""

import json
import re
import sys
from pathlib import Path

LEVEL = Path(__file__).with_name("agreement.json")


def main() -> int:
    """Read both, say both, and judge."""
    report = Path(sys.argv[1]).read_text()
    found = re.search(r"fully agreeing \d+ \(([\d.]+) %\); records \d+, agreeing ([\d.]+) %", report)
    if found is None:
        print(f"no agreement in the report:\n{report[-2000:]}")
        return 1
    kinds = report.splitlines()[-2]
    reached = {"captures": float(found[1]), "records": float(found[2])}
    level = json.loads(LEVEL.read_text())
    failed = [name for name in level if reached[name] < level[name]] + re.findall("'(?:crash|hang)': [0-9]+", kinds)
    print(f"agreement with tshark: {reached}, level {level}{', FAILED: ' + ', '.join(failed) if failed else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
