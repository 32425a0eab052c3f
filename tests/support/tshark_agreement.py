"""Hold the packet table against tshark's word on every record of a folder of captures: a line of JSON for each.

usage: agreement.py CORPUS

CORPUS holds INDEX.tsv, tshark's fields of every frame (expected/) and, of captures with fragments, those with the
fragments put together (expected_defrag/); ../tools/agree.py beside it says what is to agree. This is a process of its
own, so that a crash or a hang ends it and not the tests; the lines before say where.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import queue
import sys
import warnings
from pathlib import Path
from typing import Any

import fluxcap

Difference = tuple[str, int, str, str]  # kind, record (0: the capture as a whole), ours, tshark's


def load(path: Path) -> Any:
    """agree.py, without the frames that tshark makes of pcapng's Custom Blocks: they are in no encapsulation, and
    neither capinfos nor tcpdump counts them."""
    spec = importlib.util.spec_from_file_location("agree", path)
    assert spec
    assert spec.loader
    agree: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(agree)
    frames = agree.expected_rows
    agree.expected_rows = lambda expected: (row for row in frames(expected) if row.get("frame.encap_type") != "")
    return agree


def plain(agree: Any, capture: Path, expected: Path, row: dict[str, str]) -> tuple[int, list[Difference]]:
    """Every record as it stands, and as many as capinfos counts where it and tshark could read the file."""
    readable = row["capinfos_rc"] == row["tshark_rc"] == "0"
    allowed = {int(row["pk_capinfos"])} if readable else agree.allowed_counts(row)
    results: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    agree.compare(str(capture), expected, allowed, results)
    result = results.get()
    return result["records"], result["fails"]


def defragmented(agree: Any, capture: Path, expected: Path, row: dict[str, str]) -> tuple[int, list[Difference]]:
    """The ports of each fragment, which tshark shows where the datagram is complete, and the verdict there."""
    table = fluxcap.read_packets(capture, columns=["src_port", "dst_port", "verdict"])
    verdicts = [fluxcap.VERDICTS[code] for code in table["verdict"]]
    ours = zip(table["src_port"].tolist(), table["dst_port"].tolist(), verdicts, strict=True)
    frames = list(agree.expected_rows(expected))
    found: list[Difference] = []
    for number, (frame, (src_port, dst_port, verdict)) in enumerate(zip(frames, ours, strict=True), 1):
        complete = frame["ip.reassembled_in"] or frame["ipv6.reassembled.in"]
        seen = agree.innermost(frames[int(complete) - 1] if complete else frame)
        ports, status = (seen[4:6], seen[6]) if seen else ((0, 0), None)
        if ports == (0, 0):
            continue
        if (src_port, dst_port) != ports:
            found.append(("ports", number, str((src_port, dst_port)), str(ports)))
        elif not complete and status in agree.STATUS and verdict not in agree.STATUS[status]:
            found.append(("verdict", number, verdict, status))
    return len(frames), found


VIEWS = {"plain": ("expected", plain), "defragmented": ("expected_defrag", defragmented)}


def main(corpus: Path) -> None:
    warnings.simplefilter("ignore")
    agree = load(corpus.parent / "tools" / "agree.py")
    with (corpus / "INDEX.tsv").open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        for view, (folder, compare) in VIEWS.items():
            expected = corpus / folder / f"{row['sha256'][:16]}.tsv.gz"
            if expected.exists():
                records, differences = compare(agree, corpus / row["path"], expected, row)
                line = {"view": view, "capture": row["path"], "records": records, "differences": differences}
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
