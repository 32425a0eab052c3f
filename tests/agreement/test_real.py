"""Every row and code of the core has a real capture and a crafted case.

real.tsv has a line for every link type, encapsulation, protocol, tunnel and verdict: the crafted case; a capture of the
corpus or a recorded one of samples/; how many frames tshark's display filter finds in it; and the values in the columns
of as many of our rows. `outer.` is a column of the packet around a tunnel. Without a capture the note says why.
"""

import csv
import operator
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import builders as b
import fluxcap
from packet_cases import PLAIN, TUNNELS
from plain_checksums import ones_sum, pseudo_header
from real_captures import CORPUS, FOLDER, SAMPLES, needs_corpus
from tshark import VERIFY, fields, needs_tshark, tshark
from verdict_cases import CASES, HEADERS, ORDER

DECODE_TESTS = Path(__file__).parents[1] / "core" / "test_decode.py"
LAYERS = Path(__file__).parents[2] / "pyx" / "fluxcap" / "layers"
REGISTRIES = [
    ("link.pxd", "by_link_type"), ("encap.pxd", "by_ethertype"), ("encap.pxd", "by_ppp_protocol"),
    ("link.pxd", "is_tag"), ("protocol.pxd", "by_protocol"), ("protocol.pxd", "by_extension"), ("tunnel.pxd", "gre"),
    ("tunnel.pxd", "gre_payload"), ("udp_tunnel.pxd", "set_registered"), ("juniper.pxd", "juniper_link"),
    ("juniper.pxd", "has_cookie"),
]  # fmt: skip
CODES = {"verdict": fluxcap.VERDICTS, "ip_verdict": fluxcap.VERDICTS, "disposition": fluxcap.DISPOSITIONS}
OPERATORS = {"=": operator.eq, ">": operator.gt, "<": operator.lt}
VERDICT_OF = {what: verdict for what, verdict, *_ in (*CASES, *ORDER, *HEADERS)}


class Row(NamedTuple):
    subject: str
    crafted: str
    capture: str
    records: str
    tshark: str
    fluxcap: str
    note: str

    @property
    def path(self) -> Path:
        folder, _, name = self.capture.partition("/")
        return SAMPLES / name if folder == "samples" else CORPUS / self.capture


with Path(__file__).with_name("real.tsv").open(newline="") as table:
    ROWS = [Row(*cells) for cells in csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE)][1:]
SHOWN = [row for row in ROWS if row.capture != "-"]
AT_HAND = [row for row in SHOWN if FOLDER or row.capture.startswith("samples/")]
PARTIAL = [row for row in AT_HAND if re.search(r"\bverdict=partial", row.fluxcap) and "protocol=" in row.fluxcap]

each_row = pytest.mark.parametrize("row", AT_HAND, ids=[f"{row.subject}, {row.crafted}" for row in AT_HAND])


def registered(file: str, function: str) -> list[str]:
    """The names in the rows of a registry of the core."""
    text = (LAYERS / file).read_text()
    body = re.search(rf"cdef inline \w+ {function}\(.*?(?=\ncdef |\Z)", text, re.DOTALL)
    assert body
    return re.findall(r"\b(?:(?:link_type|ethertype|protocol) (?:==|<) |set_tunnel\(t, )(\w+)", body[0])


def number(name: str) -> int:
    """The value of a constant of the core."""
    text = "".join(
        file.read_text()
        for file in (LAYERS / "link.pxd", LAYERS / "juniper.pxd", LAYERS.parent / "base" / "numbers.pxd")
    )
    found = re.search(rf"^    {name} = (\w+)", text, re.MULTILINE)
    assert found
    return int(found[1], 0)


@pytest.mark.parametrize(("file", "function"), REGISTRIES)
def test_every_row_of_a_registry_has_its_evidence(file, function):
    names = registered(file, function)
    assert names
    assert set(names) - {row.subject for row in ROWS} == set()


def test_every_verdict_has_a_real_capture():
    assert {row.subject for row in SHOWN} >= set(fluxcap.VERDICTS)


def test_every_subject_of_the_table_is_of_the_core():
    names = {name for registry in REGISTRIES for name in registered(*registry)}
    assert {row.subject for row in ROWS} <= {*names, *fluxcap.VERDICTS}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.subject}, {row.crafted}" for row in ROWS])
def test_every_subject_has_a_crafted_case_of_its_own(row):
    if row.crafted.startswith("test_"):
        assert f"\ndef {row.crafted}(" in DECODE_TESTS.read_text()
    elif row.subject in fluxcap.VERDICTS:
        assert VERDICT_OF[row.crafted] == row.subject
    elif row.subject.startswith(("LINKTYPE_", "JUNIPER_")):
        assert PLAIN[row.crafted].link_type == number(row.subject)
    elif row.crafted in TUNNELS and row.subject.startswith(("IP_", "PORT_")):
        tunnel = TUNNELS[row.crafted]
        assert number(row.subject) == (tunnel.port or tunnel.protocol)
    else:
        assert row.crafted in PLAIN.keys() | TUNNELS.keys() | VERDICT_OF.keys()


def test_a_subject_without_a_real_capture_says_why():
    assert [row.subject for row in ROWS if row.capture == "-" and not row.note] == []


@each_row
@pytest.mark.filterwarnings("ignore::fluxcap.DamagedCaptureWarning")
def test_a_real_capture_shows_what_the_table_says(row):
    found = np.True_
    for condition in row.fluxcap.split():
        outer, name, sign, value = re.fullmatch(r"(outer\.)?(\w+)([=<>])(\w+)", condition).groups()
        table = fluxcap.read_packets(row.path, columns=[name], decap=not outer)
        wanted = CODES[name].index(value) if name in CODES else int(value, 0)
        found = found & OPERATORS[sign](table[name], wanted)
    assert found.sum() == int(row.records) > 0


@needs_tshark
@each_row
def test_tshark_finds_as_many(row):
    assert len(tshark(row.path, *VERIFY, "-Y", row.tshark, *fields(["frame.number"]))) == int(row.records)


@needs_tshark
@needs_corpus
@pytest.mark.parametrize("row", PARTIAL, ids=[row.capture for row in PARTIAL])
def test_the_partial_sums_of_a_real_capture_are_those_of_its_pseudo_headers(row):
    names = ["ip.src", "ip.dst", "udp.length", "udp.checksum", "tcp.hdr_len", "tcp.len", "tcp.checksum"]
    for line in tshark(row.path, *VERIFY, "-Y", row.tshark, *fields(names)):
        src, dst, *numbers = line.split("\t")
        length, checksum, header, data, tcp_checksum = (int(cell or "0", 0) for cell in numbers)
        protocol = b.TCP if header else b.UDP
        pseudo = pseudo_header(b.packed(src), b.packed(dst), protocol, length or header + data)
        assert ones_sum(pseudo) == (checksum or tcp_checksum)
