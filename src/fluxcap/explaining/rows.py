"""One record as the core takes it apart: the types of what Explainer.explained() gives."""

from __future__ import annotations

from typing import Literal, TypedDict


class HeaderRow(TypedDict):
    """A header on the path."""

    kind: str
    title: str
    layer: str  # "link", "tunnel", "network" or "transport"
    depth: int  # tunnels around it
    offset: int  # of its first byte in the record
    length: int  # bytes, as it states them
    captured: int  # bytes of it that the record has, and that lie inside the packet that the header is in
    hex: str  # these bytes
    fields: list[tuple[str, int, int, str, int]]  # name, bit in the header, bits, letter of how it is meant, value


class SumRow(TypedDict):
    """A sum that was taken for a verdict."""

    kind: Literal["ip", "gre", "transport"]
    offset: int  # of the first byte in the record that is summed
    length: int  # bytes
    field: int  # offset of the checksum, which is summed as zero
    pseudo: bytes  # the pseudo-header before them
    words: list[int]
    sums: list[int]  # after each word, in ones' complement


class Judgement(TypedDict):
    """What decoder and checksum stage say of the packet at one depth; verdicts, dispositions and reasons by code."""

    depth: int
    ip_version: int
    protocol: int
    src_ip: bytes
    dst_ip: bytes
    src_port: int
    dst_port: int
    disposition: int
    reason: int
    payload_length: int
    ip_at: int
    ip_length: int
    length_lies: bool
    ip_verdict: int
    ip_checksum: int
    ip_expected: int
    verdict: int
    checksum: int
    expected: int
    gre_verdict: int
    transport_at: int
    covered: int
    crc: bool
    fragmented: bool
    fragment_offset: int
    fragment_length: int
    fragmented_around: int
    tcp_flags: int
    sums: list[SumRow]


class DatagramRow(TypedDict):
    """The datagram that a record completes, as a record of raw IP."""

    length: int  # bytes, the headers before its payload included
    judged: Judgement  # of which the verdict is not that of the record: there are fragments that sums do not tell apart
    headers: list[HeaderRow]


class Explained(TypedDict):
    """The record."""

    packet: int
    file: int
    time: int
    offset: int
    captured_length: int
    wire_length: int
    link_type: int
    headers: list[HeaderRow]
    judged: list[Judgement]  # the packet around the outermost tunnel first, the innermost one last
    pieces: list[tuple[int, int, int, int]]  # of its datagram, so far: packet, file, offset and length of the payload
    datagram: DatagramRow | None  # None where the record completes none
    before: dict[str, int]  # what all sockets had been handed before this record, and what had become of the rest
    after: dict[str, int]
