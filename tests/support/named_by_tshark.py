"""The names of servers that tshark's fields give the flows of a capture, by the rules of docs/server-names.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import fluxcap
from tshark import fields, tshark

TLS, HTTP = "tls.handshake.extensions_server_name", "http.host"
FIELDS = (
    *("frame.number", "tcp.srcport", "udp.srcport", TLS, HTTP, "http.request.version", "dns.qry.name"),
    *("dns.flags.response", "dns.flags.opcode", "dns.flags.rcode"),
    *("dns.count.answers", "dns.resp.name", "dns.resp.type", "dns.a", "dns.aaaa", "dns.cname"),
)
WANTED = f"{TLS} or {HTTP} or dns.a or dns.aaaa"
HEADERS_ALONE = ("-o", "http.desegment_body:FALSE")  # it would not show a request before its body has come
VERSION = re.compile(r"(.* )?HTTP/1\.\d")  # a target with a blank in it: tshark takes the rest for the version
ANSWER = ["1", "0", "0"]  # to a query, without an error
SPLIT = "\x1f"  # between values of one field: no name has it
A, CNAME, AAAA = "1", "5", "28"
BAD = {"bad", "illegal", "bad_length"}


class Flow(NamedTuple):
    """The name of a flow and what tells it, ours and by tshark's fields."""

    ours: tuple[str, str]
    theirs: tuple[str, str]


def written(name: str) -> str:
    """A name as docs/server-names.md has it."""
    name = name.removesuffix(".")
    octets = name.encode("utf-8", "surrogateescape")
    letters = [chr(one) if 0x20 < one < 0x7F and chr(one) not in '\\",' else f"\\x{one:02x}" for one in octets]
    if letters and letters[0] in "=+-@":
        letters[0] = f"\\x{octets[0]:02x}"
    return "".join(letters)


class Tells(NamedTuple):
    """What a frame tells."""

    said: list[tuple[str, str]]  # name and basis
    asked: str
    addresses: list[str]  # of an answer


def told(capture: Path) -> Iterator[tuple[int, Tells]]:
    """What each frame tells, by its number: QUIC and SSDP say it over UDP, and are not asked."""
    for line in tshark(capture, "-Y", WANTED, *HEADERS_ALONE, "-E", f"aggregator={SPLIT}", *fields(FIELDS)):
        frame = dict(zip(FIELDS, line.split("\t"), strict=True))
        several = {name: value.split(SPLIT) if value else [] for name, value in frame.items()}
        said = []
        if frame["tcp.srcport"]:
            said += [(one, "sni") for one in several[TLS][:1]]
            said += [
                (one, "http")
                for one in several[HTTP][:1]
                if VERSION.fullmatch(frame["http.request.version"].split(SPLIT)[0])
            ]
        flags = [(several[f"dns.flags.{name}"] or [""])[0] for name in ("response", "opcode", "rcode")]
        is_answer = flags == ANSWER and "53" in several["udp.srcport"] + several["tcp.srcport"]
        addresses = list(answered(several)) if is_answer else []
        yield int(frame["frame.number"]), Tells(said, "".join(several["dns.qry.name"][:1]), addresses)


def answered(several: Mapping[str, list[str]]) -> Iterator[str]:
    """The addresses in the answer section of the name that was asked for, behind canonical names too."""
    values = {A: iter(several["dns.a"]), AAAA: iter(several["dns.aaaa"]), CNAME: iter(several["dns.cname"])}
    wanted = several["dns.qry.name"][0]
    records = zip(several["dns.resp.name"], several["dns.resp.type"], strict=True)
    for owner, kind in islice(records, int(several["dns.count.answers"][0])):
        value = next(values[kind]) if kind in values else ""
        if owner.lower() == wanted.lower() and kind == CNAME:
            wanted = value
        elif owner.lower() == wanted.lower() and value:
            yield value


def compared(capture: Path) -> list[Flow]:
    """Each flow of a capture that has a name by us or by tshark."""
    columns = ["packet", "flow", "src_ip", "dst_ip", "verdict", "ip_verdict"]
    flows, packets = fluxcap.read_flows(capture, packets=columns, server_names=True, on_damage="warn")
    bases = fluxcap.SERVER_NAME_BASES
    ours = [
        (name.decode(), bases[code])
        for name, code in zip(flows["server_name"].tolist(), flows["server_name_basis"].tolist(), strict=True)
    ]
    tells = dict(told(capture))
    theirs: dict[int, tuple[str, str]] = {}
    given: dict[tuple[bytes, bytes], str] = {}
    verdicts = zip(packets["verdict"].tolist(), packets["ip_verdict"].tolist(), strict=True)
    ends = zip(map(bytes, packets["src_ip"]), map(bytes, packets["dst_ip"]), strict=True)
    for number, (flow, (src, dst), codes) in enumerate(zip(packets["flow"].tolist(), ends, verdicts, strict=True), 1):
        asked = given.get((src, dst)) or given.get((dst, src), "")
        theirs.setdefault(flow, (asked, "dns" if asked else "none"))
        if number not in tells or {fluxcap.VERDICTS[code] for code in codes} & BAD:
            continue
        for name, basis in tells[number].said:
            if theirs[flow][1] in ("none", "dns"):
                theirs[flow] = written(name), basis
        given |= {(dst, mapped(one)): written(tells[number].asked) for one in tells[number].addresses}
    return [Flow(mine, theirs[flow]) for flow, mine in enumerate(ours) if mine[0] or theirs[flow][0]]


def mapped(address: str) -> bytes:
    packed = ip_address(address).packed
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed
