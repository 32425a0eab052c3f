"""Wireshark's display filters, as far as libpcap's language has words for them: to say what to type instead."""

from __future__ import annotations

import re
from typing import Final

# A comparison by its field: what stands before the value in libpcap's language. Our own columns are here as well.
_FIELDS: Final = {
    "ip.addr": "host", "ip.host": "host", "ipv6.addr": "host",
    "ip.src": "src host", "ipv6.src": "src host", "src_ip": "src host",
    "ip.dst": "dst host", "ipv6.dst": "dst host", "dst_ip": "dst host",
    "eth.addr": "ether host", "eth.src": "ether src", "src_mac": "ether src",
    "eth.dst": "ether dst", "dst_mac": "ether dst",
    "port": "port", "src_port": "src port", "sport": "src port", "dst_port": "dst port", "dport": "dst port",
    "vlan.id": "vlan", "vlan": "vlan", "ip.proto": "ip proto", "protocol": "ip proto",
    **{
        f"{name}.{field}": f"{name} {words}"
        for name in ("tcp", "udp", "sctp")
        for field, words in (("port", "port"), ("srcport", "src port"), ("dstport", "dst port"))
    },
}  # fmt: skip
_NETWORKS: Final = {"host": "net", "src host": "src net", "dst host": "dst net"}  # if the value has a prefix length
_SERVICES: Final = {
    "dns": "port 53", "http": "tcp port 80", "tls": "tcp port 443", "ssh": "tcp port 22", "ntp": "udp port 123",
    "dhcp": "udp port 67",
}  # fmt: skip
_FLAGS: Final = {**{name: name for name in ("syn", "ack", "fin", "push", "urg")}, "reset": "rst"}
_SAME: Final = frozenset(("ip", "ipv6", "arp", "tcp", "udp", "icmp", "icmpv6", "igmp", "sctp", "vlan"))
_RENAMED: Final = {"ipv6": "ip6", "icmpv6": "icmp6"}
_JOINTS: Final = {"and": "and", "&&": "and", "or": "or", "||": "or", "not": "not", "!": "not", "(": "(", ")": ")"}
_LENGTH: Final = ("frame.len", "wire_length")
_RELATION: Final = r"(==|!=|>=|<=|=|>|<|\beq\b|\bne\b)"
_COMPARISON: Final = re.compile(rf"([\w.]+)\s*{_RELATION}\s*([^\s()&|]+)")
_TOKEN: Final = re.compile(rf"\s*({_COMPARISON.pattern}|&&|\|\||[()]|!|[^\s()!&|]+)")


def translated(expression: str) -> str | None:
    """The display filter in libpcap's language; None where it is none, or has a part without a counterpart."""
    words: list[str] = []
    place = 0
    while place < len(expression.rstrip()):
        found = _TOKEN.match(expression, place)
        if found is None or (word := _word(found[1].strip())) is None:
            return None
        words.append(word)
        place = found.end()
    text = " ".join(words).replace("( ", "(").replace(" )", ")")
    return text if words and text != " ".join(expression.split()) else None


def _word(token: str) -> str | None:
    if (compared := _COMPARISON.fullmatch(token)) is not None:
        return _compared(*compared.groups())
    if token.lower() in _JOINTS:
        return _JOINTS[token.lower()]
    if token in _SERVICES:
        return _SERVICES[token]
    return _RENAMED.get(token, token) if token in _SAME else None


def _compared(field: str, relation: str, value: str) -> str | None:
    relation = {"eq": "==", "=": "==", "ne": "!="}.get(relation, relation)
    if field in _LENGTH:
        return f"len {relation} {value}"
    if relation not in ("==", "!="):
        return None
    flag = _FLAGS.get(field.removeprefix("tcp.flags."))
    if flag and field.startswith("tcp.flags.") and value in ("0", "1"):
        return f"tcp[tcpflags] & tcp-{flag} {'!=' if (value == '1') == (relation == '==') else '=='} 0"
    if field not in _FIELDS:
        return None
    words = _NETWORKS.get(_FIELDS[field], _FIELDS[field]) if "/" in value else _FIELDS[field]
    return f"{'' if relation == '==' else 'not '}{words} {value}"
