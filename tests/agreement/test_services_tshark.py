"""Names of services, against those that tshark has from the same registry."""

import subprocess
from pathlib import Path

import builders as b
from capture_files import pcap, records
from fluxcap.values import services
from tshark import needs_tshark

OTHERWISE = {("tcp", 465): "urd"}  # IANA has two names for it; `submissions` (RFC 8314) is what is spoken there
PROTOCOLS = {"tcp": b.tcp, "udp": b.udp, "sctp": b.sctp}
CLIENT = 65000


def of_tshark(path: Path) -> list[str]:
    """The name of the source port of each frame."""
    command = ["tshark", "-r", str(path), "-N", "t", "-o", 'gui.column.format:"port","%rS"']
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()


@needs_tshark
def test_every_name_is_the_one_that_tshark_has_for_the_port(tmp_path):
    transports = {number: name for name, number in services.TRANSPORTS.items()}
    named = {(transports[number], port): name for (number, port), name in services.names().items()}
    path = tmp_path / "ports.pcap"
    frames = (b.ethernet(b.ipv4(PROTOCOLS[transport](b"", port, CLIENT))) for transport, port in named)
    path.write_bytes(pcap(records(frames)))
    differing = {at: theirs for at, theirs in zip(named, of_tshark(path), strict=True) if theirs != named[at]}
    assert differing == OTHERWISE
