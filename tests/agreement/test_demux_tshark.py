"""demux() delivers from real captures what tcpflow and tshark find in them."""

import ipaddress
import re
import shutil
import subprocess
from itertools import chain, islice

import pytest

import fluxcap
from delivered_directory import demuxed
from real_captures import CORPUS, SAMPLES, index, needs_corpus
from tshark import fields, needs_tshark, tshark

STREAMS = 200  # captures with complete streams to compare with tcpflow
FOLLOWED = 8  # captures whose streams are also compared with tshark, which takes twenty times as long
UDP = 17
REFUSED = {"bad", "illegal", "bad_length"}
needs_tcpflow = pytest.mark.skipif(shutil.which("tcpflow") is None, reason="tcpflow is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

# Captures for which tshark does not show what a socket would receive.
_GENERATED = "hadrielk+pcapng-test-generator/output_{}/{}.pcapng"
TSHARK_DIFFERS = {
    "zeek+zeek/testing/btest/Traces/ipv4/fragmented-1.pcap": "fragments overlap: it shows one side, a kernel drops all",
    "seladb+PcapPlusPlus/Tests/Pcap++Test/PcapExamples/ip6_fragments.pcap": "it shows bytes behind the UDP length",
    "the-tcpdump-group+tcpdump/tests/rip_error_hexdump.pcap": "it shows a first fragment without the others",
    "arkime+arkime/tests/pcap/arkime_synthetic.pcap": "a UDP length of 0 without a checksum is a message to it",
    **{
        f"the-tcpdump-group+tcpdump/tests/bigtcp-{name}.pcap": "an IP length of 0, a super-packet, is no datagram to it"
        for name in ("ipv4-vxlan-ipv4", "ipv6-vxlan-ipv6", "ipv6-geneve-ipv6", "ipv4-geneve-ipv4")
    },
    **{
        _GENERATED.format(order, name): "it numbers Custom Blocks among the packets"
        for order in ("be", "le")
        for name in ("advanced/test102", "difficult/test202")
    },
}


def drawn(kind):
    """The captures of the corpus with packets of a kind, small enough for a test, in an order independent of names."""
    rows = sorted(index(), key=lambda row: row["sha256"])
    return [CORPUS / row["path"] for row in rows if row[kind] not in ("", "0") and int(row["size"]) < 1 << 20]


def complete(stream):
    """Whether a stream has all bytes from SYN to FIN, and no two versions of the same bytes."""
    odd = ("gaps", "conflicting", "refused", "after_end", "out_of_window", "cut")
    return stream["octets"] and (stream["began"], stream["ended"]) == ("syn", "fin") and not any(map(stream.get, odd))


def with_complete_streams(paths, folder):
    """Captures with at least one complete stream, and these streams."""
    for number, path in enumerate(paths):
        try:
            delivery = demuxed(path, folder / f"{number}", decap=False)
        except fluxcap.CaptureError:
            continue
        if streams := list(filter(complete, delivery.streams)):
            yield path, streams


def end(address, port):
    """A socket in the form of tcpflow."""
    ip = ipaddress.ip_address(address)
    return f"{'.'.join(f'{octet:03}' for octet in ip.packed) if ip.version == 4 else ip}.{port:05}"


def tcpflow_name(stream):
    """The name that tcpflow gives the file of a stream, without the number of the connection."""
    return f"{end(stream['src_ip'], stream['src_port'])}-{end(stream['dst_ip'], stream['dst_port'])}"


def by_tcpflow(path, folder):
    """The streams that tcpflow finds, by their two ends."""
    folder.mkdir()
    subprocess.run(
        ["tcpflow", "-r", path, "-o", folder, "-S", "enable_report=NO", "-T", "%A.%a-%B.%b-%#"], capture_output=True
    )
    found = {}
    for file in folder.iterdir():
        found.setdefault(file.name.rpartition("-")[0], []).append(file.read_bytes())
    return found


def by_tshark(path):
    """The streams of tshark's `Follow TCP Stream` by their two ends, without empty ones."""
    numbers = [int(line) for line in tshark(path, "-Y", "tcp.stream", *fields(["tcp.stream"])) if line.isdigit()]
    follow = chain.from_iterable(("-z", f"follow,tcp,raw,{number}") for number in range(max(numbers) + 1))
    shown = "\n".join(tshark(path, "-q", *follow))
    found = {}
    for block in re.split(r"^=+\nFollow: .*\n", shown, flags=re.MULTILINE)[1:]:
        _, *ends = re.findall(r"^(?:Filter|Node \d): (.*)$", block, re.MULTILINE)
        lines = re.findall(r"^\t?[0-9a-f]+$", block, re.MULTILINE)
        for way, tab in ((0, False), (1, True)):
            octets = bytes.fromhex("".join(line.strip() for line in lines if line.startswith("\t") == tab))
            if octets:
                found.setdefault((ends[way], ends[1 - way]), []).append(octets)
    return found


def named(stream):
    """The ends of a stream in the form of tshark."""
    ends = [(stream[f"{way}_ip"], stream[f"{way}_port"]) for way in ("src", "dst")]
    return tuple(f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address, port in ends)


@pytest.mark.slow
@needs_corpus
@needs_tcpflow
@needs_tshark
def test_complete_streams_are_those_of_tcpflow_or_where_it_errs_those_of_tshark(tmp_path):
    # tcpflow takes the padding of short Ethernet frames for payload, and does not read NFLOG.
    compared = doubtful = 0
    for path, streams in islice(with_complete_streams(drawn("tcp"), tmp_path), STREAMS):
        compared += 1
        theirs = by_tcpflow(path, tmp_path / f"tcpflow-{compared}")
        others = [stream for stream in streams if stream["data"] not in theirs.get(tcpflow_name(stream), [])]
        if others:
            doubtful += 1
            theirs = by_tshark(path)
            assert [named(stream) for stream in others if stream["data"] not in theirs.get(named(stream), [])] == []
    assert compared == STREAMS
    assert doubtful < STREAMS // 10


def check_followed(path, folder):
    ours = {}
    for stream in demuxed(path, folder, decap=False, keep_bad=True).streams:
        if stream["octets"]:
            ours.setdefault(named(stream), []).append(stream["data"])
    assert ours == by_tshark(path)


@needs_tshark
@pytest.mark.parametrize("name", ["sockets.pcapng", "connection-reset.pcap", "veth-checksums-offloaded.pcap"])
def test_the_streams_of_a_sample_are_those_of_tshark(name, tmp_path):
    check_followed(SAMPLES / name, tmp_path / "out")


@pytest.mark.slow
@needs_corpus
@needs_tshark
def test_complete_streams_of_the_corpus_are_those_of_tshark(tmp_path):
    paths = with_complete_streams(drawn("tcp"), tmp_path)
    for number, (path, _) in enumerate(islice(paths, 0, STREAMS, STREAMS // FOLLOWED)):
        check_followed(path, tmp_path / f"again-{number}")


SHOWN = ("frame.number", "udp.dstport", "udp.payload", "frame.protocols")


def datagrams_by_tshark(path):
    """Port and payload of each UDP datagram right above the first IP header, by the frame that completes it; without
    datagrams that claim to be longer than the IP packet, which demux() always refuses."""
    found = {}
    for line in tshark(path, "-Y", "udp && !udp.length.bad", *fields(SHOWN), "-E", "occurrence=f"):
        frame, port, payload, protocols = line.split("\t")
        above = re.search(r"\b(?:ip|ipv6)(?::ipv6\.\w+|:ah)*:(\w+)", protocols)
        if above and above[1] == "udp":
            found[int(frame)] = int(port), bytes.fromhex(payload)
    return found


def check_datagrams(path, folder):
    delivery = demuxed(path, folder, decap=False)
    ports = {one["number"]: one["port"] for one in delivery.sockets if one["protocol"] == UDP}
    ours = {one["packet"]: (ports[one["socket"]], one["data"]) for one in delivery.messages if one["socket"] in ports}
    packets = fluxcap.read_packets(path, columns=("packet", "verdict", "ip_verdict"), decap=False)
    verdicts = zip(packets["packet"], packets["verdict"], packets["ip_verdict"], strict=True)
    refused = {number for number, *both in verdicts if REFUSED & {fluxcap.VERDICTS[verdict] for verdict in both}}
    theirs = {frame: datagram for frame, datagram in datagrams_by_tshark(path).items() if frame not in refused}
    assert ours == theirs


@needs_tshark
@pytest.mark.parametrize("name", ["sockets.pcapng", "datagram-in-fragments.pcap", "fragments-out-of-order.pcap"])
def test_the_messages_of_a_sample_are_those_of_tshark(name, tmp_path):
    check_datagrams(SAMPLES / name, tmp_path / "out")


@pytest.mark.slow
@needs_corpus
@needs_tshark
@pytest.mark.parametrize(("kind", "share"), [("udp", 30), ("frag", 5)])
def test_messages_of_the_corpus_are_those_of_tshark(kind, share, tmp_path):
    for number, path in enumerate(islice(drawn(kind), 0, None, share)):
        if path.relative_to(CORPUS).as_posix() not in TSHARK_DIFFERS:
            check_datagrams(path, tmp_path / f"{number}")
