"""A packet as an exercise: which of its fields and sums are asked for, and whether an answer is right."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterator
from typing import Final, NamedTuple

from fluxcap.explaining.explanation import Explanation
from fluxcap.explaining.parts import Checksum, Header
from fluxcap.values import human

ASKED_LAYERS: Final = ("network", "tunnel", "transport")
NEVER_ASKED: Final = ("reserved", "rsvd", "zero", "NOP", "options", "padding", "more")
BLANK: Final = "?"


class Question(NamedTuple):
    """One question, and the answer as a number and as a text."""

    prompt: str
    value: int | None
    text: str

    def is_right(self, answer: str) -> bool:
        """Whether an answer is right: the text, its number in decimal or with 0x, or the address however written."""
        typed = answer.strip().casefold()
        right = self.text.casefold()
        if typed in (right, *right.split()[:1]):
            return True
        try:
            return self.value is not None and int(typed.replace(",", ""), 0) == self.value
        except ValueError:
            pass
        try:
            return ipaddress.ip_address(typed) == ipaddress.ip_address(right)
        except ValueError:
            return False


def questions(explanation: Explanation) -> Iterator[Question]:
    """The fields of the innermost IP and transport header, then the sum of the last checksum."""
    for header in _asked(explanation):
        for field in header.fields:
            if field.name not in NEVER_ASKED:
                yield Question(f"{header.title}, {field.name}", field.value, field.text)
    summed = _summed(explanation)
    if summed is not None:
        pseudo = [word for word in summed.words if word.offset is None]
        if pseudo:
            yield _of_sum(f"{summed.title}, the sum of the pseudo-header", pseudo[-1].sum)
        yield _of_sum(f"{summed.title}, the sum of all words, the checksum taken as zero", summed.words[-1].sum)
        yield _of_sum(f"{summed.title}, the checksum that is right", summed.expected or 0)
        yield Question(f"{summed.title}, the verdict (good, bad or partial)", None, summed.verdict)


def exercise(explanation: Explanation) -> Explanation:
    """The packet without what is asked for."""
    asked = _asked(explanation)
    return dataclasses.replace(
        explanation, headers=tuple(_blank(one) if one in asked else one for one in explanation.headers)
    )


def sheet(explanation: Explanation) -> Iterator[str]:
    """What the answers are found in: the bytes of the headers, and the words of the sum."""
    for header in _asked(explanation):
        yield f"{header.title}: {header.hex}"
    summed = _summed(explanation)
    if summed is not None:
        words = " ".join(f"{word.value:04x}" for word in summed.words)
        count = human.counted(len(summed.words), "word")
        yield f"{count} of the {summed.title} sum, the checksum taken as zero: {words}"


def _asked(explanation: Explanation) -> list[Header]:
    deepest = max((header.depth for header in explanation.headers), default=0)
    return [one for one in explanation.headers if one.depth == deepest and one.layer in ASKED_LAYERS]


def _summed(explanation: Explanation) -> Checksum | None:
    return next((one for one in reversed(explanation.checksums) if one.words), None)


def _blank(header: Header) -> Header:
    fields = [one if one.name in NEVER_ASKED else dataclasses.replace(one, text=BLANK) for one in header.fields]
    return dataclasses.replace(header, fields=tuple(fields))


def _of_sum(prompt: str, value: int) -> Question:
    return Question(prompt, value, f"0x{value:04x}")
