"""The names of servers equal what tshark's fields say, flow by flow, on captures of the corpus that have some."""

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from named_by_tshark import Flow, compared
from real_captures import CORPUS, SAMPLES, index, needs_corpus, spread
from tshark import needs_tshark

pytestmark = needs_tshark

TELLING = {  # how bytes look that may tell a name
    "http": re.compile(rb"\nhost:", re.IGNORECASE),
    "sni": re.compile(rb"\x16\x03[\x00-\x04]..\x01", re.DOTALL),
    "dns": re.compile(
        rb"\x00\x35.{6}..[\x80-\x87][\x00\x80\x90\xa0]\x00\x01\x00[^\x00]", re.DOTALL
    ),  # an answer over UDP
}
WANTED = 40  # captures of each; FLUXCAP_EVERY_NAME=1 takes all
DIFFERENT = (  # captures left out
    "ntop+nDPI/tests/cfgs/default/pcap/ookla.pcap",  # TLS at port 8080, where tshark looks for HTTP alone
    "wireshark+wireshark/test/captures/wireguard-ping-tcp-dsb.pcapng",  # tshark has the keys of the tunnel
)
NONE = ("", "none")
OF_EACH = {"http": 100, "sni": 80, "dns": 20}  # flows with a name by each, at least


def telling() -> set[str]:
    """The captures to compare."""
    rows = [row for row in index() if int(row["udp"] or 0) + int(row["tcp"] or 0) and row["path"] not in DIFFERENT]
    octets = {row["path"]: (CORPUS / row["path"]).read_bytes() for row in rows}
    wanted = len(rows) if os.environ.get("FLUXCAP_EVERY_NAME") == "1" else WANTED
    return {
        path
        for look in TELLING.values()
        for path in spread([row for row in rows if look.search(octets[row["path"]])], wanted)
    }


def all_compared(folder: Path, paths: Iterable[str]) -> list[tuple[str, Flow]]:
    """The flows with a name, with the path of their capture."""
    with ThreadPoolExecutor(os.cpu_count()) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damage, and of messages that the snap length cut
        paths = list(paths)
        flows = pool.map(compared, map(partial(Path, folder), paths))
        return [(path, flow) for path, found in zip(paths, flows, strict=True) for flow in found]


@pytest.mark.slow
@needs_corpus
def test_every_flow_of_the_corpus_has_the_name_that_tshark_shows():
    found = all_compared(CORPUS, sorted(telling()))
    assert [one for one in found if one[1].ours != one[1].theirs and one[1].theirs != NONE] == []
    # Messages that tshark does not take for what they are: at ports of other protocols, or cut off before their ends.
    assert sum(one[1].theirs == NONE for one in found) <= len(found) // 100
    bases = Counter(flow.ours[1] for _, flow in found)
    assert {basis: min(bases[basis], least) for basis, least in OF_EACH.items()} == OF_EACH


def test_every_flow_of_the_samples_has_the_name_that_tshark_shows():
    found = all_compared(SAMPLES, [path.name for path in sorted(SAMPLES.glob("*.pcap*"))])
    assert [one for one in found if one[1].ours != one[1].theirs] == []
    assert found
