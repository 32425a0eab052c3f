"""Deterministic captures for benchmarks: IPv4 on Ethernet, pcap in microseconds, every checksum good.

| workload | packets | flows | frames |
|---|---|---|---|
| small | UDP | 100,000, Zipf-distributed | 18 to 97 bytes of payload |
| imix | UDP and TCP | 100,000, Zipf-distributed | 7:4:1 of about 64, 576 and 1500 bytes |
| big | UDP | 10,000, Zipf-distributed | 1,200 to 1,450 bytes |
| flood | UDP | as many as packets | 18 bytes of payload |
| frame-N | UDP | 10,000, Zipf-distributed | N bytes; half a gigabyte of them |
| flows-N | UDP | N, all equally frequent | 18 bytes of payload |

`python tests/bench/workloads.py small` makes one, unless it is there already, and prints its path.
"""

import argparse
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SEED = 768  # any fixed number
START = 1_700_000_000  # seconds since the epoch; packets are a microsecond apart
UDP, TCP = 17, 6
SCATTER = 0x9E3779B1  # odd, so that multiples of it differ modulo any power of two
CLIENTS, SERVERS = 10 << 24, 198 << 24 | 18 << 16  # 10.0.0.0/8 (RFC 1918), 198.18.0.0/15 (RFC 2544)

FILE_HEADER = np.array((0xA1B2C3D4, 2, 4, 0, 0, 65535, 1), "<u4, <u2, <u2, <u4, <u4, <u4, <u4")
RECORD = [("seconds", "<u4"), ("microseconds", "<u4"), ("captured", "<u4"), ("wire", "<u4")]
ETHERNET = [("dst_mac", "V6"), ("src_mac", "V6"), ("ethertype", ">u2")]
IPV4 = [
    ("version", "u1"), ("tos", "u1"), ("total_length", ">u2"), ("identification", ">u2"), ("fragment", ">u2"),
    ("ttl", "u1"), ("protocol", "u1"), ("ip_checksum", ">u2"), ("src", ">u4"), ("dst", ">u4"),
]  # fmt: skip
PORTS = [("src_port", ">u2"), ("dst_port", ">u2")]
HEADERS = {
    UDP: np.dtype([*RECORD, *ETHERNET, *IPV4, *PORTS, ("length", ">u2"), ("checksum", ">u2")]),
    TCP: np.dtype(
        [
            *RECORD, *ETHERNET, *IPV4, *PORTS, ("seq", ">u4"), ("ack", ">u4"),
            ("data_offset", "u1"), ("flags", "u1"), ("window", ">u2"), ("checksum", ">u2"), ("urgent", ">u2"),
        ]
    ),
}  # fmt: skip
RECORD_SIZE, IP_AT, TRANSPORT_AT = 16, 30, 50  # bytes of a record before its frame, IP header, transport header

FILLING = 1 << 22  # bytes of payload made once; every piece of the file is at most this long and filled with it

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Workload:
    """What a workload is made of; `sizes` draws n frame lengths."""

    packets: int
    sizes: Callable[[np.random.Generator, int], Numbers]
    flows: int | None  # None: every packet is a flow
    tcp_share: float = 0.0
    even: bool = False  # the flows are equally frequent, not Zipf-distributed


def _between(low: int, high: int) -> Callable[[np.random.Generator, int], Numbers]:
    return lambda rng, n: rng.integers(low, high, n, endpoint=True)


def _imix(rng: np.random.Generator, n: int) -> Numbers:
    ranges = np.array([(60, 68)] * 7 + [(560, 592)] * 4 + [(1486, 1514)])
    low, high = ranges[rng.integers(0, len(ranges), n)].T
    return rng.integers(low, high, endpoint=True)


UDP_FRAME = 42  # bytes of a frame before the payload of UDP
WORKLOADS = {
    "small": Workload(5_000_000, _between(UDP_FRAME + 18, UDP_FRAME + 97), 100_000),
    "imix": Workload(3_000_000, _imix, 100_000, tcp_share=0.5),
    "big": Workload(700_000, _between(1200, 1450), 10_000),
    "flood": Workload(5_000_000, _between(UDP_FRAME + 18, UDP_FRAME + 18), None),
}
FRAMES = (64, 128, 256, 512, 1024, 1500)  # bytes
FLOWS = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
WORKLOADS |= {f"frame-{n}": Workload((1 << 29) // (RECORD_SIZE + n), _between(n, n), 10_000) for n in FRAMES}
WORKLOADS |= {f"flows-{n}": Workload(10_000_000, _between(UDP_FRAME + 18, UDP_FRAME + 18), n, even=True) for n in FLOWS}


@dataclass(frozen=True)
class Conversations:
    """The addresses and ports of the two ends of every flow: arrays of one value a flow."""

    client: Numbers
    server: Numbers
    client_port: Numbers
    server_port: Numbers
    protocol: Numbers

    @classmethod
    def draw(cls, rng: np.random.Generator, workload: Workload, n: int) -> "Conversations":
        return cls(
            client=CLIENTS + np.arange(n) * SCATTER % (1 << 24),  # all different, so that all flows are
            server=SERVERS + rng.integers(0, 1 << 17, n),
            client_port=rng.integers(32768, 61000, n),  # the ephemeral ports of Linux
            server_port=rng.choice([80, 443, 8080, 9000], n),
            protocol=np.where(rng.random(n) < workload.tcp_share, TCP, UDP),
        )


def make(path: Path, name: str, packets: int) -> None:
    """Write the workload `name` of so many packets to `path`."""
    workload, rng = WORKLOADS[name], np.random.default_rng([SEED, zlib.crc32(name.encode())])
    flows = workload.flows or packets
    talks = Conversations.draw(rng, workload, min(flows, packets) if workload.even else flows)
    sizes = workload.sizes(rng, packets)
    flow = _flow_numbers(rng, workload, packets)
    backward = rng.random(packets) < (0.0 if workload.flows is None else 0.5)
    filling = np.frombuffer(rng.bytes(FILLING), np.uint8)
    sums = _running_sums(filling)
    ends = np.cumsum(RECORD_SIZE + sizes)
    with path.open("wb") as file:
        file.write(FILE_HEADER.tobytes())
        first = 0
        while first < packets:
            base = ends[first] - sizes[first] - RECORD_SIZE
            last = int(np.searchsorted(ends, base + FILLING, "right"))
            piece = slice(first, last)
            octets = filling[: ends[last - 1] - base].copy()
            starts = ends[piece] - sizes[piece] - RECORD_SIZE - base
            for protocol, header in HEADERS.items():
                chosen = np.flatnonzero(talks.protocol[flow[piece]] == protocol)
                fields = np.zeros(len(chosen), header)
                of_flow = flow[piece][chosen]
                _fill(fields, talks, of_flow, backward[piece][chosen], sizes[piece][chosen], first + chosen)
                _seal(fields, sums, starts[chosen])
                octets[starts[chosen, None] + np.arange(header.itemsize)] = _octets(fields)
            octets.tofile(file)
            first = last


def _flow_numbers(rng: np.random.Generator, workload: Workload, n: int) -> Numbers:
    if workload.flows is None:
        return np.arange(n)
    if workload.even:
        return rng.permutation(n) % workload.flows
    return _zipf(rng, workload.flows, n)


def _zipf(rng: np.random.Generator, flows: int, n: int) -> Numbers:
    """Flow numbers whose frequency falls as 1/rank."""
    weights = np.cumsum(1 / np.arange(1, flows + 1))
    return np.searchsorted(weights, rng.random(n) * weights[-1])


def _fill(
    fields: np.ndarray, talks: Conversations, flow: Numbers, backward: NDArray[np.bool_], sizes: Numbers, place: Numbers
) -> None:
    """Write all fields except the checksums."""
    fields["seconds"], fields["microseconds"] = START + place // 1_000_000, place % 1_000_000
    fields["captured"] = fields["wire"] = sizes
    fields["dst_mac"], fields["src_mac"] = b"\x02\0\0\0\0\x02", b"\x02\0\0\0\0\x01"
    fields["ethertype"], fields["version"], fields["ttl"] = 0x0800, 0x45, 64
    fields["total_length"], fields["identification"] = sizes - 14, place & 0xFFFF
    fields["protocol"] = talks.protocol[flow]
    fields["src"] = np.where(backward, talks.server[flow], talks.client[flow])
    fields["dst"] = np.where(backward, talks.client[flow], talks.server[flow])
    fields["src_port"] = np.where(backward, talks.server_port[flow], talks.client_port[flow])
    fields["dst_port"] = np.where(backward, talks.client_port[flow], talks.server_port[flow])
    if "length" in (fields.dtype.names or ()):
        fields["length"] = sizes - 34
    else:
        fields["seq"], fields["ack"] = place * 1460 & 0xFFFFFFFF, place
        fields["data_offset"], fields["flags"], fields["window"] = 5 << 4, 0x18, 512


def _seal(fields: np.ndarray, sums: tuple[Numbers, Numbers], starts: Numbers) -> None:
    """Write both checksums; the payload of a packet is the filling at the place of the packet."""
    octets = _octets(fields)
    fields["ip_checksum"] = 0xFFFF - _fold(_words(octets[:, IP_AT:TRANSPORT_AT]))
    payload_from, payload_to = starts + fields.itemsize, starts + RECORD_SIZE + fields["wire"]
    high, low = (running[payload_to] - running[payload_from] for running in sums)
    odd = payload_from % 2 == 1
    payload = np.where(odd, low * 256 + high, high * 256 + low)
    addresses = _words(octets[:, TRANSPORT_AT - 8 : TRANSPORT_AT])
    pseudo = addresses + fields["protocol"] + (fields["total_length"] - 20)
    checksum = 0xFFFF - _fold(pseudo + _words(octets[:, TRANSPORT_AT:]) + payload)
    is_udp = fields["protocol"] == UDP
    fields["checksum"] = np.where(is_udp & (checksum == 0), 0xFFFF, checksum)  # RFC 768: zero means none


def _running_sums(filling: NDArray[np.uint8]) -> tuple[Numbers, Numbers]:
    """Sums of the bytes at even and at odd places before each place."""
    sums = np.zeros((2, len(filling) + 1), np.int64)
    for parity in (0, 1):
        masked = np.where(np.arange(len(filling)) % 2 == parity, filling, 0)
        np.cumsum(masked, out=sums[parity, 1:])
    return sums[0], sums[1]


def _octets(fields: np.ndarray) -> NDArray[np.uint8]:
    """The same memory as rows of bytes."""
    return fields.view(np.uint8).reshape(len(fields), fields.itemsize)


def _words(octets: NDArray[np.uint8]) -> Numbers:
    """The sum of each row's big-endian 16-bit words."""
    return octets[:, 0::2].sum(axis=1, dtype=np.int64) * 256 + octets[:, 1::2].sum(axis=1, dtype=np.int64)


def _fold(sums: Numbers) -> Numbers:
    while np.any(sums > 0xFFFF):
        sums = (sums & 0xFFFF) + (sums >> 16)
    return sums


def ensure(name: str, packets: int, directory: Path) -> Path:
    """The path of a workload, made now unless an earlier run of the same program made it."""
    revision = zlib.crc32(Path(__file__).read_bytes())
    path = directory / f"{name}-{packets}-{revision:08x}.pcap"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        make(unfinished, name, packets)
        unfinished.rename(path)
    return path


def arguments(description: str) -> argparse.ArgumentParser:
    """The parser that every program measuring on a workload starts from."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--packets", type=int, help="how many (default: a file of some hundred megabytes)")
    default = Path(tempfile.gettempdir(), "fluxcap-workloads")
    parser.add_argument("--dir", type=Path, default=default, help="where workloads are kept (default: %(default)s)")
    return parser


def main() -> None:
    chosen = arguments("Make a workload and print its path.").parse_args()
    print(ensure(chosen.workload, chosen.packets or WORKLOADS[chosen.workload].packets, chosen.dir))


if __name__ == "__main__":
    main()
