"""The checksums of a packet: sums of the core with the names of what is added, and a sentence each."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fluxcap._core import VERDICTS
from fluxcap.explaining import sentences
from fluxcap.explaining.parts import DATA, Checksum, Field, Fragment, Header, Word
from fluxcap.explaining.sentences import Facts
from fluxcap.explaining.wording import written
from fluxcap.values import names
from fluxcap.values.names import SCTP

if TYPE_CHECKING:
    from fluxcap.explaining.rows import SumRow

SUMMED: Final = ("good", "bad", "partial")  # verdicts that a sum was taken for
# The fields of a pseudo-header by its bytes, each with its bits and how it is meant: RFC 768 (with a longer length
# where 16 bits do not hold it), RFC 8200 section 8.1.
ADDRESSES: Final = "source address", "destination address"
PSEUDO: Final = {
    12: (*((name, 32, "a") for name in ADDRESSES), ("zero", 8, ""), ("protocol", 8, ""), ("length", 16, "")),
    14: (*((name, 32, "a") for name in ADDRESSES), ("zero", 8, ""), ("protocol", 8, ""), ("length", 32, "")),
    40: (*((name, 128, "a") for name in ADDRESSES), ("length", 32, ""), ("zero", 24, ""), ("next header", 8, "")),
}


def checksums(facts: Facts) -> Iterator[Checksum]:
    """The checksums of the packet at one depth, outermost first."""
    judged = facts.judged
    sums = {row["kind"]: row for row in judged["sums"]}
    if judged["ip_verdict"]:
        yield _of_ip(facts, sums.get("ip"))
    for header in facts.headers:
        if judged["gre_verdict"] and header.kind == "gre" and header.value("checksum") is not None:
            yield _of_gre(facts, header, sums.get("gre"))
    if judged["verdict"]:
        yield _of_transport(facts, sums.get("transport"))


def with_inner_ones(found: Sequence[Checksum]) -> Iterator[Checksum]:
    """The checksums; of a bad one around a tunnel it is said if the right ones inside, which the network card will fill
    in, make it right (Linux calls this local checksum offload)."""
    for outer in found:
        waiting = [
            one for one in found if one.verdict == "partial" and one.expected is not None and _covers(outer, one)
        ]
        change = sum((one.expected or 0) - one.held for one in waiting)
        if outer.verdict == "bad" and waiting and (outer.words[-1].sum + change + outer.held) % 0xFFFF == 0:
            said = "It comes true once the card has filled in the checksum inside (local checksum offload)."
            yield replace(outer, sentence=f"{outer.sentence} {said}")
        else:
            yield outer


def _covers(outer: Checksum, inner: Checksum) -> bool:
    """Whether the field of a checksum is among the words of another one."""
    return outer is not inner and not outer.fragments and inner.offset in {word.offset for word in outer.words} - {None}


def _of_ip(facts: Facts, row: SumRow | None) -> Checksum:
    judged = facts.judged
    return Checksum(
        title="IPv4 header",
        depth=judged["depth"],
        offset=_place(facts.headers, "ipv4", "header checksum"),
        verdict=VERDICTS[judged["ip_verdict"]],
        held=judged["ip_checksum"],
        expected=judged["ip_expected"] if row is not None else None,
        digits=4,
        sentence=sentences.about_ip(facts),
        pseudo=_pseudo(row, judged["depth"]),
        words=_words(row, facts.headers, facts.packet),
    )


def _of_gre(facts: Facts, header: Header, row: SumRow | None) -> Checksum:
    words = _words(row, facts.headers, facts.packet)
    judged = facts.judged
    verdict, held = VERDICTS[judged["gre_verdict"]], header.value("checksum") or 0
    expected = 0xFFFF - words[-1].sum if words else None
    return Checksum(
        title="GRE",
        depth=judged["depth"],
        offset=_place([header], "gre", "checksum"),
        verdict=verdict,
        held=held,
        expected=expected,
        digits=4,
        sentence=sentences.about_gre(verdict, held, expected),
        pseudo=None,
        words=words,
    )


def _of_transport(facts: Facts, row: SumRow | None) -> Checksum:
    judged = facts.judged
    verdict = VERDICTS[judged["verdict"]]
    words = _words(row, facts.headers, facts.packet)
    fragments: tuple[Fragment, ...] = ()
    if facts.datagram is not None and verdict in SUMMED:
        row, words, fragments = _of_datagram(facts)
    field = [name for header in facts.headers for name in _names(header) if name.startswith("checksum")]
    kind = next((header.kind for header in reversed(facts.headers) if header.layer == "transport"), "")
    named = "checksum (CRC32c)" if judged["protocol"] == SCTP else "checksum"
    return Checksum(
        title=names.protocol(judged["protocol"]),
        depth=judged["depth"],
        offset=_place(facts.headers, kind, named) if field else None,
        verdict=verdict,
        held=judged["checksum"],
        expected=judged["expected"] if verdict in SUMMED else None,
        digits=8 if judged["protocol"] == SCTP else 4,
        sentence=sentences.about_transport(facts),
        pseudo=_pseudo(row, judged["depth"]),
        words=words,
        fragments=fragments,
    )


def _of_datagram(facts: Facts) -> tuple[SumRow | None, tuple[Word, ...], tuple[Fragment, ...]]:
    """The sum of the datagram that the record completes, its words, and the fragments that they come from."""
    datagram, pieces = facts.datagram, facts.pieces
    row = datagram and next((one for one in datagram["judged"]["sums"] if one["kind"] == "transport"), None)
    if datagram is None or pieces is None or row is None:
        return None, (), ()
    head = datagram["length"] - pieces.total  # bytes of headers, which every fragment has
    inside = [replace(one, offset=one.offset - head) for one in facts.datagram_headers]
    moved: SumRow = {**row, "offset": row["offset"] - head, "field": row["field"] - head}
    starts = [fragment.offset for fragment in pieces.fragments]
    words = [
        word if word.offset is None else word._replace(packet=pieces.fragments[bisect(starts, word.offset) - 1].packet)
        for word in _words(moved, inside, facts.packet)
    ]
    return row, tuple(words), pieces.fragments


def _names(header: Header) -> list[str]:
    return [field.name for field in header.fields]


def _place(headers: Sequence[Header], kind: str, name: str) -> int | None:
    """Where a field begins in the record; None if it is not there."""
    places = [h.offset + f.bit // 8 for h in headers if h.kind == kind for f in h.fields if f.name == name]
    return places[-1] if places else None


def _pseudo(row: SumRow | None, depth: int) -> Header | None:
    """The pseudo-header of a sum, as a header."""
    if row is None or not row["pseudo"]:
        return None
    octets = len(row["pseudo"])
    whole = sum(word << 16 * place for place, word in enumerate(reversed(row["words"][: octets // 2])))
    fields, at = [], 0
    for name, bits, form in PSEUDO[octets]:
        value = whole >> octets * 8 - at - bits & (1 << bits) - 1
        fields.append(Field(name, at, bits, value, written("pseudo", name, form, bits, value)))
        at += bits
    octets_hex = whole.to_bytes(octets).hex(" ")
    return Header("pseudo", "Pseudo-header", "pseudo", depth, 0, octets, octets, octets_hex, tuple(fields))


def _words(row: SumRow | None, headers: Sequence[Header], packet: int) -> tuple[Word, ...]:
    """The words of a sum, each with the name of what it is a part of."""
    if row is None:
        return ()
    above = _pseudo(row, 0)
    pseudo = len(row["pseudo"]) // 2
    inside = [header for header in headers if header.offset >= row["offset"]]
    first = row["offset"] - 2 * pseudo
    words, before = [], 0
    for place, (value, total) in enumerate(zip(row["words"], row["sums"], strict=True)):
        offset, carry = first + 2 * place, before + value > 0xFFFF
        if above is None or place >= pseudo:
            words.append(Word(_source(offset, row["field"], inside), packet, offset, value, total, carry))
        else:
            source = f"pseudo: {', '.join(_covering(above, 16 * place))}"
            words.append(Word(source, None, None, value, total, carry))
        before = total
    return tuple(words)


def _source(offset: int, field: int, headers: Sequence[Header]) -> str:
    """The fields that a word of the record is a part of."""
    if offset == field:
        return "checksum, taken as zero"
    for header in headers:
        if there := _covering(header, (offset - header.offset) * 8):
            return ", ".join(there)
    return DATA


def _covering(header: Header, bit: int) -> list[str]:
    """The names of the fields that the word at this bit is a part of."""
    return [field.name for field in header.fields if field.bit < bit + 16 and field.bit + field.bits > bit]
