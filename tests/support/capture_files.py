"""Capture files as bytes: pcap and pcapng, in both byte orders, from records or block by block."""

import struct
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

ByteOrder = Literal["little", "big"]
Block = Callable[[str], bytes]  # a pcapng block, once the byte order of its section ("<" or ">") is known

PREFIX = {"little": "<", "big": ">"}
MAGIC_US, MAGIC_NS, MAGIC_MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
BYTE_ORDER_MAGIC = 0x1A2B3C4D
SECTION_HEADER, INTERFACE_DESCRIPTION, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
PACKET_FLAGS = 2
COMMENT, IF_NAME, IF_DESCRIPTION, IF_TSRESOL, IF_TSOFFSET = 1, 2, 3, 9, 14
UNSPECIFIED_LENGTH = (1 << 64) - 1


class Record(NamedTuple):
    """One packet: the bytes captured, its time (ns) and its length on the wire."""

    data: bytes
    time: int = 0
    wire_length: int = 0  # the captured length, when less than that

    def cut(self, snaplen: int) -> "Record":
        """What a capture with this snap length holds of it."""
        return self._replace(data=self.data[:snaplen], wire_length=max(self.wire_length, len(self.data)))


def records(packets: Iterable[bytes], start: int = 1_700_000_000_000_000_000, step: int = 1_000_000) -> list[Record]:
    """Packets as records `step` nanoseconds apart."""
    return [Record(bytes(data), start + place * step) for place, data in enumerate(packets)]


def pcap(
    packets: Iterable[Record],
    link_type: int = 1,
    *,
    byteorder: ByteOrder = "little",
    ns: bool = False,
    modified: bool = False,
    snaplen: int = 262144,
) -> bytes:
    """A pcap file of these records; `modified` is Kuznetzov's header, eight bytes longer."""
    order = PREFIX[byteorder]
    magic = MAGIC_MODIFIED if modified else MAGIC_NS if ns else MAGIC_US
    trailer = bytes(8 if modified else 0)  # interface index, protocol, packet type
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link_type)]
    for data, time, wire_length in packets:
        seconds, fraction = divmod(time, 1_000_000_000)
        lengths = len(data), max(wire_length, len(data))
        out += struct.pack(order + "IIII", seconds, fraction if ns else fraction // 1000, *lengths), trailer, data
    return b"".join(out)


def snoop(packets: Iterable[Record], datalink: int = 4, *, drops: Iterable[int] = (), pad: int | None = None) -> bytes:
    """A snoop file (RFC 1761); `drops`: the count of each record, `pad`: bytes after each, else to a multiple of 4."""
    out = [b"snoop\0\0\0" + struct.pack(">II", 2, datalink)]
    counts = iter(drops)
    for data, time, wire_length in packets:
        padding = bytes(-len(data) % 4 if pad is None else pad)
        seconds, fraction = divmod(time, 1_000_000_000)
        lengths = max(wire_length, len(data)), len(data), 24 + len(data) + len(padding)
        out += struct.pack(">IIIIII", *lengths, next(counts, 0), seconds, fraction // 1000), data, padding
    return b"".join(out)


def pcapng(*blocks: Block, byteorder: ByteOrder = "little", options: bytes = b"") -> bytes:
    """One section: a section header, then `blocks`. A file of several sections is their concatenation."""
    body = struct.pack(PREFIX[byteorder] + "IHHQ", BYTE_ORDER_MAGIC, 1, 0, UNSPECIFIED_LENGTH)
    order = PREFIX[byteorder]
    return b"".join(one(order) for one in (block(SECTION_HEADER, body + options), *blocks))


def rewrapped(
    packets: Iterable[Record], link_type: int = 1, *, byteorder: ByteOrder = "little", snaplen: int = 262144
) -> bytes:
    """The pcapng file, of one interface with nanoseconds, that says what pcap(packets, ns=True) says."""
    enhanced = (enhanced_packet(one.data, one.time, wire_length=one.wire_length) for one in packets)
    return pcapng(interface(link_type, snaplen=snaplen, tsresol=9), *enhanced, byteorder=byteorder)


def block(block_type: int, body: bytes) -> Block:
    """Any block: type, total length, body padded to 32 bits, total length again."""

    def at(order: str) -> bytes:
        octets = body + bytes(-len(body) % 4)
        length = struct.pack(order + "I", 12 + len(octets))
        return struct.pack(order + "I", block_type) + length + octets + length

    return at


def option(code: int, value: bytes) -> Block:
    """One option, padded to 32 bits."""
    return lambda order: struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(
    link_type: int = 1,
    *,
    snaplen: int = 262144,
    tsresol: int | None = None,
    tsoffset: int | None = None,
    name: str | None = None,
    description: str | None = None,
) -> Block:
    """An interface description block. `tsresol` is the byte of the option: a power of ten, or with bit 7 of two."""

    def at(order: str) -> bytes:
        given: list[tuple[int, bytes]] = []
        if name is not None:
            given.append((IF_NAME, name.encode()))
        if description is not None:
            given.append((IF_DESCRIPTION, description.encode()))
        if tsresol is not None:
            given.append((IF_TSRESOL, bytes((tsresol,))))
        if tsoffset is not None:
            given.append((IF_TSOFFSET, struct.pack(order + "q", tsoffset)))
        options = b"".join(option(code, value)(order) for code, value in given)
        end = bytes(4) if given else b""
        body = struct.pack(order + "HHI", link_type, 0, snaplen) + options + end
        return block(INTERFACE_DESCRIPTION, body)(order)

    return at


def with_options(data: bytes, options: Iterable[Block], order: str) -> bytes:
    """A packet's data, padded, and the options behind them, ended as the draft's section 3.5 has it."""
    told = b"".join(one(order) for one in options)
    return data + bytes(-len(data) % 4) + told + bytes(4) if told else data


def flags(word: int) -> Block:
    """The option epb_flags (or pack_flags) of a packet block."""
    return lambda order: option(PACKET_FLAGS, struct.pack(order + "I", word))(order)


def enhanced_packet(
    data: bytes, ticks: int = 0, interface_id: int = 0, wire_length: int = 0, options: Iterable[Block] = ()
) -> Block:
    """An enhanced packet block; `ticks` are in the resolution of its interface."""
    head = (interface_id, ticks >> 32, ticks & 0xFFFFFFFF, len(data), max(wire_length, len(data)))
    told = tuple(options)
    return lambda order: block(ENHANCED_PACKET, struct.pack(order + "5I", *head) + with_options(data, told, order))(
        order
    )


def simple_packet(data: bytes, wire_length: int = 0) -> Block:
    """A simple packet block: of the first interface, without a time."""
    return lambda order: block(SIMPLE_PACKET, struct.pack(order + "I", max(wire_length, len(data))) + data)(order)


def old_packet(
    data: bytes, ticks: int = 0, interface_id: int = 0, wire_length: int = 0, options: Iterable[Block] = ()
) -> Block:
    """The obsolete packet block, with a 16-bit interface number and a count of drops (none known)."""
    head = (interface_id, 0xFFFF, ticks >> 32, ticks & 0xFFFFFFFF, len(data), max(wire_length, len(data)))
    told = tuple(options)
    return lambda order: block(OLD_PACKET, struct.pack(order + "HH4I", *head) + with_options(data, told, order))(order)
