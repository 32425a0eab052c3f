"""Recordings of the programs in programs.py and servers.py, made by tcpdump and dumpcap of Debian in namespaces.

The recording hears nothing outside the namespaces, and removes them at its end.
"""

import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

import programs
import servers

PROGRAMS, SERVERS = (Path(module.__file__) for module in (programs, servers))
NAMESPACES = tuple(f"fluxcap-{who}-{os.getpid()}" for who in ("client", "server"))  # unlike those of other recordings
ADDRESSES = (("192.0.2.1", "2001:db8::1"), ("192.0.2.2", "2001:db8::2"))  # set aside for documentation
FIRST_PORT, PORTS_EACH = 40000, 500  # ports of the client programs; the largest opens fifty at once
VXLAN_ADDRESSES = (("198.51.100.1", "2001:db8:1::1"), ("198.51.100.2", "2001:db8:1::2"))
TIME_LIMIT = 30  # seconds for any one command
SETTLING = 2.5  # seconds until the kernel has sent its multicast listener reports for new addresses
BUFFER = "65536"  # KiB; in immediate mode each packet takes the room of the snap length
FRAMES = ("-s", "2048")  # whole frames, and room for all packets of many clients
SECTION_HEADER, INTERFACE_DESCRIPTION = 0x0A0D0D0A, 1
OPTIONS_KEPT = {SECTION_HEADER: (), INTERFACE_DESCRIPTION: (2, 9, 14)}  # if_name, if_tsresol, if_tsoffset


@dataclass(frozen=True)
class Recording:
    """A file, the programs that ran while it was recorded, and how the network between them was set up."""

    name: str
    scenarios: Sequence[str]
    interface: Literal["veth", "lo", "any", "vxlan"] = "veth"  # where in the client's namespace it was recorded
    client_offload: bool = True  # whether the client leaves its checksums to its network card
    server_offload: bool = True
    options: Sequence[str] = ()  # of the recording program
    programs: Path = PROGRAMS


UDP_AND_TCP = ("echo", "request", "refused")
SESSION = ("fifty_clients", "half_close", "reset", "refused", "overfull", "echo")
RECORDINGS = (
    Recording("sockets.pcapng", (*UDP_AND_TCP, "fragmented", "reset", "unchecked"), server_offload=False),
    Recording("veth-checksums-offloaded.pcap", UDP_AND_TCP),
    Recording("veth-checksums-computed.pcap", UDP_AND_TCP, client_offload=False, server_offload=False),
    Recording("loopback-checksums-offloaded.pcap", UDP_AND_TCP, "lo"),
    Recording("any-interface-sll2.pcap", ("echo",), "any"),
    Recording("any-interface-sll.pcap", ("echo",), "any", options=("-y", "LINUX_SLL")),
    Recording("nanoseconds.pcap", ("echo",), options=("--time-stamp-precision=nano",)),
    Recording("cut-at-60-octets.pcap", ("echo", "request"), client_offload=False, options=("-s", "60")),
    Recording("port-refused.pcap", ("refused",), client_offload=False, server_offload=False),
    Recording("datagram-in-fragments.pcap", ("fragmented",), client_offload=False, server_offload=False),
    Recording("connection-reset.pcap", ("reset",), client_offload=False, server_offload=False),
    Recording("many-clients-of-one-listener.pcapng", ("many_clients",), client_offload=False, server_offload=False),
    Recording("session.pcap", SESSION, client_offload=False, server_offload=False, options=FRAMES),
    Recording(
        *("servers.pcap", tuple(servers.SCENARIOS)),
        client_offload=False,
        server_offload=False,
        options=FRAMES,
        programs=SERVERS,
    ),
    Recording("sender-computed-no-checksum.pcap", ("unchecked",), client_offload=False, server_offload=False),
    Recording("udp-lite-partial-coverage.pcap", ("lite",), client_offload=False, server_offload=False),
    Recording("multicast-membership.pcap", ("multicast",), client_offload=False, server_offload=False),
    Recording("vxlan-tunnel.pcap", ("echo", "request"), "vxlan"),
)


def run(*command: str) -> None:
    """Run a command to its end; subprocess.CalledProcessError when it fails, with what it said on standard error."""
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=TIME_LIMIT)


def inside(namespace: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", namespace)


@contextmanager
def network(recording: Recording) -> Iterator[None]:
    """Two namespaces, client and server, joined by a veth pair (and a VXLAN over it when that is what is recorded)."""
    with ExitStack() as made:
        for namespace in NAMESPACES:
            run("ip", "netns", "add", namespace)
            made.callback(run, "ip", "netns", "del", namespace)
        client, server = NAMESPACES
        run("ip", "-n", client, "link", "add", "veth", "type", "veth", "peer", "name", "veth", "netns", server)
        offloads = (recording.client_offload, recording.server_offload)
        for place, (namespace, offload) in enumerate(zip(NAMESPACES, offloads, strict=True)):
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            run(*inside(namespace), "ethtool", "-K", "veth", "tx", "on" if offload else "off")
            bring_up(namespace, "veth", place, ADDRESSES[place])
            if recording.interface == "vxlan":
                remote = ADDRESSES[1 - place][0]
                vxlan = ("vxlan", "type", "vxlan", "id", "42", "dstport", "4789", "remote", remote, "dev", "veth")
                run("ip", "-n", namespace, "link", "add", *vxlan)
                bring_up(namespace, "vxlan", 2 + place, VXLAN_ADDRESSES[place])
        time.sleep(SETTLING)
        yield


def bring_up(namespace: str, device: str, place: int, addresses: Sequence[str]) -> None:
    """Give a device its hardware address and its IP addresses, usable at once."""
    hardware = f"02:00:00:00:00:{place + 1:02x}"
    run("ip", "-n", namespace, "link", "set", device, "address", hardware, "addrgenmode", "none")
    run("ip", "-n", namespace, "link", "set", device, "up")
    for address in addresses:
        prefix, flags = ("/64", ("nodad",)) if ":" in address else ("/24", ())
        run("ip", "-n", namespace, "address", "add", address + prefix, "dev", device, *flags)


@contextmanager
def started(command: Sequence[str], ready: str, stop: signal.Signals | None = None) -> Iterator[None]:
    """A program that runs until the block ends; the block begins once it has said that it is ready. Without a signal
    that stops it, it ends when its input does."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            if not any(ready in line for line in process.stdout):
                raise RuntimeError(f"{command} ended before it was ready")
            yield
        finally:
            if stop is not None:
                process.send_signal(stop)
            process.communicate(timeout=TIME_LIMIT)


def record(recording: Recording, path: Path) -> None:
    """Record the scenarios of `recording` into `path`; needs root, tcpdump or dumpcap, ip and ethtool."""
    client, server = NAMESPACES
    hosts = {"lo": ("127.0.0.1", "::1"), "vxlan": VXLAN_ADDRESSES[1]}.get(recording.interface, ADDRESSES[1])
    device = "veth" if recording.interface == "vxlan" else recording.interface
    if path.suffix == ".pcapng":
        recorder, ready = ["dumpcap", "-q", "-w", str(path), "-i", device, *recording.options], "File:"
    else:
        recorder = ["tcpdump", "-Z", "root", "-U", "--immediate-mode", "-B", BUFFER, "-w", str(path), "-i", device]
        recorder, ready = [*recorder, *recording.options], "listening on"
    python = (sys.executable, str(recording.programs))
    serving = client if recording.interface == "lo" else server
    with (
        network(recording),
        started([*inside(serving), *python, "serve"], "ready"),
        started([*inside(client), *recorder], ready, signal.SIGINT),
    ):
        time.sleep(0.5)  # dumpcap says where it will write before it listens
        for place, (scenario, host) in enumerate(product(recording.scenarios, hosts)):
            # A range of ports for each program: the kernel gives a port again to a connection to another port.
            first = FIRST_PORT + place * PORTS_EACH
            limits = f"echo {first} {first + PORTS_EACH - 1} > /proc/sys/net/ipv4/ip_local_port_range"
            run(*inside(client), "sh", "-c", limits)
            run(*inside(client), *python, scenario, host)
        time.sleep(0.5)  # the last FINs and their acknowledgments


def make(directory: Path, names: Sequence[str]) -> None:
    """Record every file of RECORDINGS that is named (all when none is) into `directory`."""
    for recording in RECORDINGS:
        if names and recording.name not in names:
            continue
        if "lite" in recording.scenarios and not programs.has_udp_lite():
            print(f"{recording.name}: left as it is, this kernel has no UDP-Lite", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch, recording.name)
            record(recording, path)
            capture = path.read_bytes()
        (directory / recording.name).write_bytes(without_origin(capture) if path.suffix == ".pcapng" else capture)


def without_origin(capture: bytes) -> bytes:
    """A little-endian pcapng file without the options that describe the machine it was recorded on."""
    out, at = [], 0
    while at < len(capture):
        kind, length = struct.unpack_from("<II", capture, at)
        body = capture[at + 8 : at + length - 4]
        if kind in OPTIONS_KEPT:
            fixed = 16 if kind == SECTION_HEADER else 8
            body = body[:fixed] + b"".join(
                option for code, option in _options(body[fixed:]) if code in OPTIONS_KEPT[kind]
            )
            body += bytes(4) if len(body) > fixed else b""
        size = struct.pack("<I", 12 + len(body))
        out.append(struct.pack("<I", kind) + size + body + size)
        at += length
    return b"".join(out)


def _options(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Each option as (code, all its bytes), without the one that ends them."""
    at = 0
    while at < len(octets):
        code, length = struct.unpack_from("<HH", octets, at)
        end = at + 4 + length + -length % 4
        if code:
            yield code, octets[at:end]
        at = end
