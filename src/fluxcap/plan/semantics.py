"""How other programs make flows: timeouts, who began a flow, what its bytes are. docs/semantics.md compares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from fluxcap.errors import unknown
from fluxcap.values.other_names import Octets

SemanticsName = Literal["wireshark", "zeek", "nfstream", "yaf", "cicflowmeter"]
Direction = Literal["first packet", "server ports"]
End = Literal["tcp"]
ServerPorts = tuple[frozenset[int], frozenset[int]]  # of TCP, of UDP


class Semantics(NamedTuple):
    """The choices in which programs that make flows differ; the defaults are our own."""

    idle_timeout: str | None = None
    tcp_idle_timeout: str | None = None  # where it is another for TCP
    active_timeout: str | None = None
    attempt_timeout: str | None = None  # for a TCP connection that nobody answers
    close_timeout: str | None = None  # for a TCP connection that has ended
    end: End | None = None  # "tcp": a SYN after a RST, or after a FIN of both sides, begins another flow
    octets: Octets = "frame"
    server_ports: ServerPorts | None = None

    @property
    def direction(self) -> Direction:
        """Whether ports can tell that the receiver of the first packet began the flow."""
        return "server ports" if self.server_ports and any(self.server_ports) else "first packet"


# likely_server_ports of Zeek: the ports that scripts/base/protocols/*/main.zeek (pop3, finger, ...: __load__.zeek) and
# scripts/base/packet-protocols/{ayiya,geneve,gtpv1,teredo,vxlan}/main.zeek register.
_ZEEK_TCP: Final = frozenset(
    {21, 22, 25, 53, 79, 80, 81, 88, 110, 135, 139, 143, 389, 443, 445, 502, 563, 585, 587, 614, 631, 636, 989, 990}
    | {992, 993, 995, 1080, 1434, 1883, 2811, 3128, 3268, 3306, 3389, 5222, 5223, 5269, 5432, 6379, 6666, 6667, 6668}
    | {6669, 8000, 8080, 8888, 20000}
)
_ZEEK_UDP: Final = frozenset(
    {53, 67, 88, 123, 137, 161, 162, 389, 443, 514, 784, 853, 1812, 2123, 2152, 3544, 4789, 5060, 5072, 5353, 5355}
    | {6081, 20000}
)

SERVER_PORTS: Final[ServerPorts] = (_ZEEK_TCP, _ZEEK_UDP)
NO_PORTS: Final[ServerPorts] = (frozenset(), frozenset())  # yet who began a flow stays the one who did

PRESETS: Final[Mapping[str, Semantics]] = {
    # Conversations never expire; their table adds up frame.len.
    "wireshark": Semantics(),
    # scripts/base/init-bare.zeek: tcp_inactivity_timeout, and 1 min for UDP, ICMP and unknown protocols;
    # tcp_attempt_delay, tcp_close_delay. ip_bytes come from the length field of the IP header
    # (https://docs.zeek.org/en/current/scripts/base/protocols/conn/main.zeek.html).
    "zeek": Semantics(*("1m", "5m"), attempt_timeout="5s", close_timeout="5s", octets="ip", server_ports=SERVER_PORTS),
    # nfstream/streamer.py: idle_timeout, active_timeout and accounting_mode of NFStreamer.
    "nfstream": Semantics("120s", active_timeout="1800s"),
    # https://tools.netsa.cert.org/yaf/yaf.html: --idle-timeout, --active-timeout; octetTotalCount is of IP packets.
    "yaf": Semantics("300s", active_timeout="1800s", octets="ip"),
    # src/main/java/cic/cs/unb/ca/jnetpcap/FlowGenerator.java: flowTimeOut, which counts from the first packet; a flow
    # that goes on behind it keeps its source. Which packets of TCP end a flow is said in docs/cicflowmeter.md.
    "cicflowmeter": Semantics(active_timeout="120s", end="tcp", server_ports=NO_PORTS),
}


def find(name: str | None) -> Semantics:
    """The semantics of this name; our own for None. ValueError for an unknown name."""
    if name is None:
        return Semantics()
    if name not in PRESETS:
        raise unknown("semantics", name, PRESETS)
    return PRESETS[name]
