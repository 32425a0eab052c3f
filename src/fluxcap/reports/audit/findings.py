"""What a capture cannot prove: one finding for each reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fluxcap.reports.places import Place

# In the order in which a report has them: what is there twice, what is missing from the capture, what is not in order,
# what looks otherwise than it was on the wire.
TWICE: Final = ("copies",)
MISSING: Final = ("drops", "loss", "one_sided", "damage", "cut", "fragments", "gaps")
DISORDER: Final = ("ahead", "time_back")
ALTERED: Final = ("clock", "joined", "offload")
CODES: Final = (*TWICE, *MISSING, *DISORDER, *ALTERED)


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why a capture does not prove everything that its tables seem to say.

    `code`: one of CODES; `count`: how many packets, bytes, connections or inputs it concerns, which `sentence` says;
    `meaning`: what it means for the tables; `evidence`: the first packets that prove it; `numbers`: all that was
    measured, by name.
    """

    code: str
    count: int
    sentence: str
    meaning: str
    evidence: tuple[Place, ...]
    numbers: dict[str, int | float]

    @property
    def clause(self) -> str:
        """The sentence as a part of another one."""
        return self.sentence[:1].lower() + self.sentence[1:].removesuffix(".")

    def to_dict(self) -> dict[str, Any]:
        """The finding as dicts, lists, texts and numbers."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return {**plain, "evidence": [place._asdict() for place in self.evidence], "numbers": dict(self.numbers)}


def verdict(findings: tuple[Finding, ...]) -> str:
    """The findings in one sentence."""
    missing, disorder, altered = (
        [finding.clause for finding in findings if finding.code in codes]
        for codes in (MISSING, DISORDER, (*TWICE, *ALTERED))
    )
    if missing:
        said = f"Not complete: {', '.join(missing)}" + (f"; not in order: {', '.join(disorder)}" if disorder else "")
    else:
        said = f"Complete, but not in order: {', '.join(disorder)}" if disorder else "Complete and in order"
    return "; ".join((said, *altered)) + "."
