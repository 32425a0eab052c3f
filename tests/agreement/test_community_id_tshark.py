"""Community IDs of real packets are those of tshark, also in the captures that were made for them.

tshark has the ports of UDP-Lite in the ID, the specification has not; and of a packet with a source route it takes the
last hop for its destination.
"""

import warnings
from pathlib import Path

import numpy as np
import pytest

import fluxcap
from real_captures import CORPUS, SAMPLES, index, needs_corpus, spread
from tshark import fields, needs_tshark, tshark

MADE_FOR_IT = "communityid"  # in the path of a capture
# Other blocks than packets have numbers in tshark.
OTHER_NUMBERS = "difficult/test202.pcapng"
ENOUGH = 60  # captures beside those
COLUMNS = ("packet", "protocol", "src_ip", "src_port", "dst_ip", "dst_port", "depth", "disposition", "verdict")
UDP_LITE = 136
OTHERWISE = [fluxcap.VERDICTS.index(name) for name in ("fragment", "bad_length")]  # tshark reads these otherwise
COUNTED = fluxcap.DISPOSITIONS.index("counted")


def captures() -> list[str]:
    rows = [row for row in index() if row["tshark_rc"] == "0" and int(row["pk_tshark"] or 0) < 3000]
    plain = [row for row in rows if row["tunnel"] == "0" and row["frag"] == "0" and int(row["size"]) < 1_000_000]
    plain = [row for row in plain if not row["path"].endswith(OTHER_NUMBERS)]
    return [row["path"] for row in rows if MADE_FOR_IT in row["path"]] + spread(plain, ENOUGH)


def of_tshark(path: Path) -> dict[int, str]:
    """By number of the frame, of frames with one IP header without a route, and no error that quotes another."""
    wanted = fields(("frame.number", "communityid", "ip.src", "ipv6.src", "ip.cur_rt", "ipv6.routing.type"))
    rows = (line.split("\t") for line in tshark(path, "--enable-protocol", "communityid", *wanted))
    return {int(row[0]): row[1] for row in rows if row[1] and "," not in "".join(row) and not any(row[4:])}


def differing(path: Path) -> list[tuple[int, str, str]]:
    with warnings.catch_warnings(action="ignore"):  # of damage, and of link types
        table = fluxcap.read_packets(path, columns=COLUMNS)
    ours = dict(zip(table["packet"].tolist(), table["community_id"].tolist(), strict=True))
    comparable = (table["disposition"] == COUNTED) & ~np.isin(table["verdict"], OTHERWISE) & (table["depth"] == 0)
    comparable &= table["protocol"] != UDP_LITE
    numbers = {*table["packet"][comparable].tolist()}
    theirs = of_tshark(path)
    return [(n, ours[n].decode(), one) for n, one in theirs.items() if n in numbers and ours[n].decode() != one]


@needs_tshark
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.pcap*")), ids=lambda path: path.name)
def test_packets_of_the_samples_have_the_ids_of_tshark(path):
    assert differing(path) == []


@pytest.mark.slow
@needs_tshark
@needs_corpus
def test_packets_of_real_captures_have_the_ids_of_tshark():
    found = {path: differing(CORPUS / path) for path in captures()}
    assert len(found) > ENOUGH
    assert {path: rows[:3] for path, rows in found.items() if rows} == {}
