"""Messages on their way down, and up again."""

import json
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import builders as b
import fluxcap

Message = tuple[bytes, int, int, tuple[str, str], Callable[..., b.Layer]]  # bytes, ports, addresses, transport


def carried(message: Message) -> bytes:
    """A message on its way, by the tests' own builders."""
    octets, src_port, dst_port, (src, dst), transport = message
    segment = transport(octets, src_port, dst_port)
    return b.ethernet(b.ipv4(segment, src, dst) if ip_address(src).version == 4 else b.ipv6(segment, src, dst))


def delivered(directory: Path) -> Iterator[tuple[Any, ...]]:
    """Every message of an index: all that is said of it and its socket but where it was read, and its bytes."""
    lines = map(json.loads, (directory / "index.ndjson").read_text().splitlines())
    sockets = {line["number"]: line for line in lines if line["kind"] == "socket"}
    path = directory / "messages.ndjson"
    for line in map(json.loads, path.read_text().splitlines() if path.exists() else ()):
        socket = sockets[line["socket"]]
        octets = (directory / socket["file"]).read_bytes() if socket["file"] else b""
        yield (
            *(socket[name] for name in ("protocol", "address", "port")),
            *(line[name] for name in ("time", "src_ip", "src_port", "missing")),
            octets[line["offset"] : line["offset"] + line["length"]],
        )


def there_and_back(directory: Path, decap: bool = True) -> tuple[fluxcap.Muxed, Path]:
    """What mux says, and the directory that demux makes of the capture that mux makes of this one."""
    capture, again = directory.with_suffix(".pcap"), directory.with_suffix(".again")
    done = fluxcap.mux(directory, capture)
    fluxcap.demux(capture, again, decap=decap)
    return done, again
