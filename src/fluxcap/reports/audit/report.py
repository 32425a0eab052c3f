"""What an audit found, and its verdict in a sentence."""

from __future__ import annotations

from typing import Any, NamedTuple

from fluxcap.formats import Listing
from fluxcap.reports.audit.findings import Finding
from fluxcap.reports.places import Place
from fluxcap.tables.card import card
from fluxcap.values import human, metadata
from fluxcap.values.metadata import Metadata


class AuditReport(NamedTuple):
    """What a capture cannot prove, and why.

    Attributes
    ----------
    sentence : str
        The verdict on the whole.
    findings : tuple of Finding
        `code`, `count`, `sentence`, `meaning` (for the tables), `evidence` (places of the first packets that prove it:
        `file`, `packet`) and `numbers` (what was measured); docs/audit.md has the codes. Empty: nothing was found.
    packets, conversations : int
        Records, and connections of TCP.
    metadata : dict
        As tables have it.

    See Also
    --------
    read_audit : makes this object.

    Examples
    --------
    >>> import fluxcap
    >>> fluxcap.read_audit("samples/veth-checksums-offloaded.pcap").findings[0].code
    'joined'
    """

    sentence: str
    findings: tuple[Finding, ...]
    packets: int
    conversations: int
    metadata: Metadata

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {'; '.join((self.sentence, *metadata.notes(self.metadata)))}>"

    def _repr_html_(self) -> str:
        rows = listing(self)
        shown = Listing({name: rows.values[name] for name in ("code", "count", "sentence", "packets")})
        return card(f"{type(self).__name__}: {self.sentence}", [("read", _about(self))], shown, len(shown))

    def to_dict(self) -> dict[str, Any]:
        """Give the same as dicts, lists, texts and numbers.

        Returns
        -------
        dict
            Ready for JSON.

        Examples
        --------
        >>> import fluxcap
        >>> fluxcap.read_audit("samples/session.pcap").to_dict()["sentence"]
        'Complete and in order.'
        """
        return {**self._asdict(), "findings": [one.to_dict() for one in self.findings]}


def _about(report: AuditReport) -> str:
    """What was read, in words."""
    inputs = human.counted(len(report.metadata["inputs"]), "input")
    talks = human.counted(report.conversations, "TCP conversation")
    return metadata.JOINT.join((human.counted(report.packets, "packet"), inputs, talks))


def in_words(report: AuditReport, place: Place) -> str:
    """A packet by its number; of several inputs with the number of the input before it, from 1."""
    number = human.count(place.packet)
    return f"{place.file + 1}:{number}" if len(report.metadata["inputs"]) > 1 else number


def listing(report: AuditReport) -> Listing:
    """One row a finding."""
    found = report.findings
    return Listing(
        {
            **{name: [getattr(one, name) for one in found] for name in ("code", "count", "sentence", "meaning")},
            "packets": [" ".join(in_words(report, place) for place in one.evidence) for one in found],
        }
    )
