"""Captures for `fluxcap report`, and what a page of it holds."""

import random
from html.parser import HTMLParser

from builders import ethernet, ipv4, tcp, udp
from capture_files import enhanced_packet, interface, option, pcap, pcapng, records

EVIL = "<script>alert(1)<\u2215script>\"><img src=x onerror=alert(2)>\x1b[31m\u202e'$title"  # also the name of a file
VOID = {"meta", "link", "input", "br", "img"}


def many_hosts(n: int) -> bytes:
    """A capture of so many packets, each between hosts and ports of its own."""
    dice = random.Random(1)
    packets = []
    for number in range(n):
        src, dst = (".".join(str(dice.randrange(1, 255)) for _ in range(4)) for _ in range(2))
        head = tcp if number % 2 else udp
        packets.append(
            ethernet(ipv4(head(bytes(dice.randrange(9)), number % 65535 + 1, dice.randrange(1, 65535)), src, dst))
        )
    return pcap(records(packets))


def hostile_names() -> bytes:
    """A capture of bad checksums whose interfaces, sections and packets are named and commented like EVIL."""
    comment = option(1, EVIL.encode())
    packets = [ethernet(ipv4(udp(b"x", 4000, 53, checksum=0xBAD), "192.0.2.1", "192.0.2.2")) for _ in range(3)]
    named = [interface(name=EVIL, description=EVIL), interface(name=f"{EVIL}2")]
    records = [enhanced_packet(data, 10**15 + n, n % 2, options=[comment]) for n, data in enumerate(packets)]
    return pcapng(*named, *records, options=comment("<"))


class Page(HTMLParser):
    """The elements of a page; AssertionError where they are not nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.cells: list[list[list[str]]] = []  # by table and row
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.cells.append([])
        elif tag == "tr":
            self.cells[-1].append([])
        elif tag in ("th", "td"):
            self.cells[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.open and self.open[-1] in ("th", "td"):
            self.cells[-1][-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of this kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def table(self, label: str) -> list[list[str]]:
        """The cells of the table in the region with this label."""
        regions = [one for one in self.elements if one[0] == "table" or (one[1].get("class") == "wide")]
        place = next(place for place, one in enumerate(regions) if one[1].get("aria-label") == label)
        return self.cells[sum(name == "table" for name, _ in regions[:place])]
