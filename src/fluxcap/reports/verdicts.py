"""Checksum verdicts on a capture as a whole, for every command that counts them."""

from collections.abc import Mapping
from typing import Final, Protocol

from fluxcap._core import VERDICTS
from fluxcap.formats import Listing
from fluxcap.values import names
from fluxcap.values.metadata import Metadata

Counts = Mapping[str, int]  # records by verdict name
BAD: Final = VERDICTS.index("bad")
HEADER: Final = "header"  # the column of by_header() that names the kind of header
HINTS_SHOWN: Final = 2  # on a screen, among messages and on a card


class Judged(Protocol):
    """A report with verdicts: a CaptureInfo or a ChecksumReport."""

    @property
    def packets(self) -> int:
        """Records."""

    @property
    def metadata(self) -> Metadata:
        """What was read and how."""

    @property
    def verdicts(self) -> Mapping[int, Counts]:
        """Verdicts on transport checksums, by IP protocol number."""

    @property
    def ip_verdicts(self) -> Counts:
        """Verdicts on IPv4 headers."""

    @property
    def gre_verdicts(self) -> Counts:
        """Verdicts on GRE headers."""


def bad(judged: Judged) -> int:
    """Bad transport and IPv4 header checksums. Checksums, not packets: a packet can have both."""
    return sum(counts["bad"] for counts in (*judged.verdicts.values(), judged.ip_verdicts))


def examined(judged: Judged) -> int:
    """Records that the filter, if there was one, let through."""
    refused: int = judged.metadata["ledger"]["filtered"][0]
    return judged.packets - refused


def by_header(judged: Judged) -> Listing:
    """Records by kind of header and verdict, for kinds with at least one checksum."""
    kinds = {"IPv4": judged.ip_verdicts, "GRE": judged.gre_verdicts}
    kinds |= {names.protocol(number): counts for number, counts in judged.verdicts.items()}
    seen = {kind: counts for kind, counts in kinds.items() if any(counts[name] for name in VERDICTS[1:])}
    columns = {verdict: [counts[verdict] for counts in seen.values()] for verdict in VERDICTS[1:]}
    return Listing({HEADER: list(seen), **columns})
