"""Real and deliberately broken captures of the corpus (FLUXCAP_CORPUS, which .ci/run sets)."""

import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import fluxcap
from real_captures import CORPUS, index, needs_corpus

pytestmark = needs_corpus

# Exit code and records of each crafted file, on which tcpdump, capinfos and tshark agree; where they do not, the
# documents of the formats decide. 2 = unreadable, 3 = damaged: records before the damage are kept.
CRAFTED = [line.split("\t") for line in Path(__file__).with_name("crafted.tsv").read_text().splitlines()[1:]]

# Verdict and disposition of the crafted packets, one per file; udp over IPv4 unless the name says otherwise.
CRAFTED_PACKETS = {
    "40_ihl_4.pcap": ("none", "malformed"),
    "41_iptl_10.pcap": ("none", "malformed"),
    "42_iptl_60000.pcap": ("bad_length", "counted"),
    "42b_iptl_0.pcap": ("good", "counted"),
    "43a_udplen_0.pcap": ("bad_length", "counted"),
    "43b_udplen_7.pcap": ("bad_length", "counted"),
    "43c_udplen_9999.pcap": ("bad_length", "counted"),
    "43e_udp_ck0.pcap": ("absent", "counted"),
    "43f_udp_badck.pcap": ("bad", "counted"),
    "43g_eth_padding.pcap": ("good", "counted"),
    "44_tcp_doff4.pcap": ("bad_length", "counted"),
    "45a_ip6_7000_hbh.pcap": ("none", "malformed"),
    "45e_ip6_udp_ck0.pcap": ("illegal", "counted"),
    "45f_ip6_ah_len0.pcap": ("none", "malformed"),
    "46_vlan_5000.pcap": ("none", "malformed"),
    "49_mpls_2000.pcap": ("good", "counted"),
}

OTHER_END = {"src_ip": "dst_ip", "dst_ip": "src_ip", "src_port": "dst_port", "dst_port": "src_port"}
IN_A_FLOW = ("counted", "unknown_transport", "orphan_fragment")
KEYS = ["5tuple", "ports", "hosts", "sockets", "src_ip/24,dst_port"]


def captures() -> list[Path]:
    return [CORPUS / row["path"] for row in index()]


def read(reader, path, **options):
    """The flows of a file that may be damaged or not a capture."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return reader(path, **options)
        except fluxcap.CaptureError as error:
            return error.partial


def test_every_crafted_file_has_its_case():
    assert sorted(path.name for path in (CORPUS / "crafted").iterdir()) == sorted(name for name, _, _ in CRAFTED)


@pytest.mark.parametrize(("name", "code", "records"), CRAFTED)
def test_a_crafted_file_ends_as_its_case_says(name, code, records):
    command = [sys.executable, "-m", "fluxcap", "packets", "--columns", "packet", str(CORPUS / "crafted" / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, len(done.stdout.splitlines()[1:])) == (int(code), int(records))
    assert done.stderr.startswith("error: ") == (code != "0")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", CRAFTED_PACKETS)
def test_a_crafted_packet_is_judged_as_the_rfc_says(name):
    table = fluxcap.read_packets(CORPUS / "crafted" / name)
    judged = fluxcap.VERDICTS[table["verdict"][0]], fluxcap.DISPOSITIONS[table["disposition"][0]]
    assert judged == CRAFTED_PACKETS[name]


def grouped(packets, fields, prefixes, biflow):
    """A dict of counters: key in the direction of its first record -> [packets, bytes, reverse packets, bytes]."""
    counters: dict[tuple, list[int]] = {}
    columns = [column(packets[field], prefixes.get(field)) for field in fields]
    swap = [fields.index(OTHER_END.get(field, field)) if biflow else i for i, field in enumerate(fields)]
    in_flow = np.isin(packets["disposition"], [fluxcap.DISPOSITIONS.index(name) for name in IN_A_FLOW])
    for i in np.flatnonzero(in_flow):
        key = tuple(values[i] for values in columns)
        reverse = tuple(key[j] for j in swap)
        way = 2 if biflow and key not in counters and reverse in counters else 0
        counter = counters.setdefault(reverse if way else key, [0, 0, 0, 0])
        counter[way] += 1
        counter[way + 1] += int(packets["wire_length"][i])
    return counters


def column(values, prefix):
    if values.ndim == 1:
        return values.tolist()
    octets = values.copy()
    if prefix:  # IPv4 only: an IPv6 address is left whole
        mapped = (octets[:, :10] == 0).all(axis=1) & (octets[:, 10:12] == 255).all(axis=1)
        octets[mapped, 12 + prefix // 8 :] = 0
    return [row.tobytes() for row in octets]


def rows(flows):
    key = list(flows.columns[: flows.columns.index("packets")])
    counts = [name for name in ("packets", "bytes", "reverse_packets", "reverse_bytes") if name in flows.columns]
    columns = [column(flows[name], None) for name in key]
    values = zip(*(flows[name].tolist() for name in counts), strict=True)
    return {k: [*v, 0, 0][:4] for k, v in zip(zip(*columns, strict=True), values, strict=True)}, key


@pytest.mark.slow
@pytest.mark.parametrize("by", KEYS)
def test_the_flow_table_of_every_capture_is_the_group_by_of_its_packets(by):
    wrong = []
    for path in captures():
        packets, flows = read(fluxcap.read_packets, path), read(fluxcap.read_flows, path, by=by)
        if packets is None or flows is None:
            assert packets is None
            assert flows is None
            continue
        found, key = rows(flows)
        if found != grouped(packets, key, {"src_ip": 24} if "/24" in by else {}, flows.metadata["biflow"]):
            wrong.append(path)
    assert not wrong


@pytest.mark.slow
def test_the_ledger_of_every_capture_adds_up_to_its_records_and_octets():
    totals: Counter[str] = Counter()
    for path in captures():
        packets = read(fluxcap.read_packets, path, columns=["wire_length", "disposition"])
        if packets is None:
            continue
        ledger = packets.metadata["ledger"]
        octets = np.bincount(packets["disposition"], packets["wire_length"].astype(float), minlength=len(ledger))
        records = np.bincount(packets["disposition"], minlength=len(ledger))
        assert list(ledger.values()) == list(zip(records.tolist(), octets.astype(int).tolist(), strict=True)), path
        totals["records"] += len(packets)
    assert totals["records"] > 0
