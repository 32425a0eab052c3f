"""What became of the packets between two points, and the same in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fluxcap.values import human, metadata
from fluxcap.values.metadata import Metadata
from fluxcap.values.names import COMPARED_COUNTS, WAYS

if TYPE_CHECKING:
    from fluxcap._core import Comparer
    from fluxcap.comparison.clock import Clock
    from fluxcap.comparison.tables import ComparedFlowTable, ComparedPacketTable

SHARES: Final = {"delay_median": 0.5, "delay_95": 0.95, "delay_99": 0.99}
# What --fail-on may name, and the counts that say that there is some.
FINDINGS: Final[Mapping[str, str]] = {
    "loss": "lost",
    "appeared": "appeared",
    "duplicates": "duplicated",
    "reordering": "reordered",
    "changes": "changed",
    "dscp": "dscp_changed",
    "mss": "mss_changed",
}


class Comparison(NamedTuple):
    """What two points have seen of the same traffic.

    Attributes
    ----------
    flows : ComparedFlowTable
        One row a direction of a flow.
    packets : ComparedPacketTable
        One row a packet of which there is something to say.
    clock : Clock
        `offset`, `drift` and `basis` of the clocks, which all delays are corrected by; `sentence` says them.
    totals : dict
        By way, "a>b" and "b>a": what the columns of `flows` come to, and quantiles of the delays of all packets.
    metadata : dict
        As tables have it, of both points together; `metadata["a"]` and `metadata["b"]` of each.

    See Also
    --------
    read_comparison : makes this object.

    Examples
    --------
    >>> import fluxcap
    >>> comparison = fluxcap.read_comparison("samples/session.pcap", "samples/session.pcap")
    >>> comparison.findings
    {}
    """

    flows: ComparedFlowTable
    packets: ComparedPacketTable
    clock: Clock
    totals: dict[str, dict[str, Any]]
    metadata: Metadata

    @property
    def findings(self) -> dict[str, int]:
        """dict of str to int: how many packets were lost, changed and so on, by the names of `compare --fail-on`."""
        sums = {code: sum(one[count] for one in self.totals.values()) for code, count in FINDINGS.items()}
        return {code: n for code, n in sums.items() if n}

    @property
    def sentences(self) -> list[str]:
        """list of str: what arrived, each way; what was changed; what the clocks say."""
        return [*_sentences(self), self.clock.sentence]

    @property
    def summary(self) -> dict[str, Any]:
        """dict: all that is said beside the tables: `sentences`, `findings`, `clock` and `totals`."""
        return {
            "sentences": self.sentences,
            "findings": self.findings,
            "clock": self.clock._asdict(),
            "totals": self.totals,
        }

    def __repr__(self) -> str:
        said = " ".join((*self.sentences, *metadata.notes(self.metadata)))
        return f"<{type(self).__name__}: {said}>"

    def _repr_html_(self) -> str:
        return self.flows._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """Give the summary as dicts, lists, texts and numbers, without the tables.

        Returns
        -------
        dict
            Ready for JSON.

        Examples
        --------
        >>> import fluxcap
        >>> comparison = fluxcap.read_comparison("samples/session.pcap", "samples/session.pcap")
        >>> comparison.to_dict()["clock"]["basis"]  # one capture twice: there is no delay that tells a direction
        'not told'
        """
        return {**self.summary, **metadata.members(self.metadata)}


def totals_of(flows: ComparedFlowTable, comparer: Comparer) -> dict[str, dict[str, Any]]:
    """What all flows come to, each way."""
    totals = {}
    delays = comparer.delays(list(SHARES.values()))
    for code, way in enumerate(WAYS):
        rows = flows["way"] == code
        n, least, most, quantiles = delays[code]
        totals[way] = {
            "flows": int(rows.sum()),
            **{name: int(flows[name][rows].sum()) for name in COMPARED_COUNTS},
            "delay_min": least if n else None,
            **{name: one if n else None for name, one in zip(SHARES, quantiles, strict=True)},
            "delay_max": most if n else None,
        }
    return totals


def _sentences(comparison: Comparison) -> Iterator[str]:
    names = {"a>b": "From A to B", "b>a": "From B to A"}
    for way, one in comparison.totals.items():
        if not one["sent"]:
            if n := one["appeared"]:
                yield f"{names[way]}: no packet was seen to be sent, and {human.count(n)} to arrive."
            continue
        share = f" ({100 * one['lost'] / one['sent']:.3g} % lost)" if one["lost"] else ""
        yield (
            f"{names[way]}: {human.counted(one['sent'], 'packet')} sent, {human.count(one['arrived'])} arrived{share}"
            + (f", {human.count(one['duplicated'])} of them more than once" if one["duplicated"] else "")
            + (f", {human.count(one['reordered'])} reordered" if one["reordered"] else "")
            + "."
        )
        if one["delay_min"] is not None:
            times = ("delay_min", "delay_median", "delay_99", "delay_max")
            least, median, most, longest = (human.duration(one[name]) for name in times)
            yield f"Their delay: {least} at least, {median} for half of them, {most} for 99 %, {longest} at most."
        yield from _changes(one)


def _changes(one: Mapping[str, Any]) -> Iterator[str]:
    if one["changed"]:
        good = human.count(one["changed_good"])
        yield f"The payload of {human.counted(one['changed'], 'packet')} was changed, {good} with a checksum to match."
    for name, what in (("dscp_changed", "DSCP"), ("mss_changed", "MSS")):
        if one[name]:
            yield f"{human.counted(one[name], 'packet')} arrived with another {what}."
    if one["appeared"]:
        were = human.were(one["appeared"])
        yield f"{human.counted(one['appeared'], 'packet')} {were} seen to arrive and not to be sent."
    if one["uncompared"]:
        n = human.counted(one["uncompared"], "packet")
        yield f"The payload of {n} was not compared: a snap length cut it, or segments were cut or joined."
