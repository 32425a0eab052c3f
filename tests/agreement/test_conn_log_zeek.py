"""conn.log as fluxcap writes it is the one that Zeek's own tests expect, field by field.

Which rows there are is what test_connections_zeek.py compares; here each row of the log that is there is looked at.
"""

import pytest

import fluxcap
from conn_logs import read_log
from real_captures import needs_corpus
from zeek_baselines import baselines, prepared, without_refused

SAME_ROW = ("proto", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "conn_state", "orig_pkts", "resp_pkts")
OLD_NAMES = {"src_ip": "id.orig_h", "src_port": "id.orig_p", "dst_ip": "id.resp_h", "dst_port": "id.resp_p"}
COMPARED = ("orig_bytes", "resp_bytes", "local_orig", "local_resp", "missed_bytes", "orig_ip_bytes", "resp_ip_bytes")
EITHER = ("orig_bytes", "resp_bytes")  # unset where we do not tell: segments that were sent again
# A segment longer than its IP packet, whose bytes Zeek does not count.
DIFFERENT = {("missing_krbtgt_ldap_request.pcapng", "orig_ip_bytes")}  # which lies in two folders
ENOUGH_ROWS, ENOUGH_BYTES = 0.93, 0.9
ENOUGH_DURATIONS = 0.55  # of TCP: Zeek leaves out the last ACK


def as_read(row):
    """A row of a baseline in the form of read_log()."""
    types = {"port": "id.orig_p id.resp_p", "bool": "local_orig local_resp"}
    names = ("#separator \\x09\n#unset_field\t-\n#fields\t", "\n#types\t")
    row = {OLD_NAMES.get(name, name): cell for name, cell in row.items()}
    kept = {name: cell for name, cell in row.items() if name in (*SAME_ROW, *COMPARED, "duration", "history")}
    kinds = [
        "port" if name in types["port"].split() else "bool" if name in types["bool"].split()
        else "interval" if name == "duration" else "count" if name.endswith(("bytes", "pkts")) else "string"
        for name in kept
    ]  # fmt: skip
    text = names[0] + "\t".join(kept) + names[1] + "\t".join(kinds) + "\n" + "\t".join(kept.values())
    return read_log(text)[0]


def logs(baseline, path):
    """The rows of both readings: with tunnels opened, and of the tunnels themselves."""
    capture, ignored = prepared(baseline)
    for decap in (True, False):
        read = capture if ignored else without_refused(capture, decap)
        table = fluxcap.read_connections(read, semantics="zeek", decap=decap, ignore_checksums=ignored)
        table.write(path / "conn.log")
        yield from read_log((path / "conn.log").read_text())


@needs_corpus
def test_every_field_is_that_of_zeek_or_unset(tmp_path):
    found, told, differing = [], [], set()
    lasting: dict[bool, list[bool]] = {True: [], False: []}
    for baseline in baselines():
        ours = list(logs(baseline, tmp_path))
        for row in map(as_read, baseline["rows"]):
            same = [one for one in ours if all(one.get(name) == row.get(name) for name in SAME_ROW)]
            found.append(bool(same))
            if not same:
                continue
            one = max(same, key=lambda one: sum(one.get(name) == row.get(name) for name in COMPARED))
            told += [name in one for name in EITHER if name in row]
            differing |= {
                (baseline["path"].rpartition("/")[2], name)
                for name in COMPARED
                if name in row and one.get(name) != row[name] and not (name in EITHER and name not in one)
            }
            pair = [seen.get("duration", 0) for seen in (one, row)]
            lasting[one["proto"] == "tcp"].append(pair[0] == pytest.approx(pair[1], abs=2e-6))
    assert all(lasting[False])
    assert sum(lasting[True]) >= ENOUGH_DURATIONS * len(lasting[True])
    assert differing == DIFFERENT
    assert sum(found) >= ENOUGH_ROWS * len(found)
    assert sum(told) >= ENOUGH_BYTES * len(told)
