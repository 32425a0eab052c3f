"""The verdict on a capture in plain words: what was found, what can be believed, what is wrong and who sent it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from fluxcap.plot.numbers import FLOW
from fluxcap.reports import verdicts
from fluxcap.reports.places import FEW, Place
from fluxcap.values import human, metadata

if TYPE_CHECKING:
    from fluxcap.page.findings import Findings

SOUND, NOTABLE, WRONG = "sound", "notable", "wrong"  # how much a sentence matters; names of classes in the style
DAMAGES_TOLD: Final = 5
HINTS_TOLD: Final = 5


class Sentence(NamedTuple):
    """A sentence, how much it matters, and the first packets that prove it."""

    weight: str
    text: str
    places: tuple[Place, ...] = ()


def headline(found: Findings) -> Sentence:
    """The whole in one sentence."""
    info, bad = found.info, verdicts.bad(found.checksums)
    if not info.packets:
        return Sentence(NOTABLE, "There is no packet in this capture.")
    if not verdicts.examined(info):
        return Sentence(NOTABLE, f"No packet passed the filter, of {human.count(info.packets)}: nothing was judged.")
    troubles = [human.counted(bad, "bad checksum")] if bad else []
    if damaged := metadata.damaged_inputs(info.metadata):
        troubles.append(f"{human.counted(damaged, 'damaged input')}")
    if troubles:
        return Sentence(WRONG, f"Not sound: {' and '.join(troubles)}, {human.counted(info.packets, 'packet')} read.")
    if illegal := _illegal(found):
        counted = human.counted(illegal, "illegal checksum")
        return Sentence(NOTABLE, f"No bad checksum, but {counted}, in {human.counted(info.packets, 'packet')}.")
    return Sentence(SOUND, f"Sound: no bad checksum in {human.counted(verdicts.examined(info), 'packet')}.")


def believed(found: Findings) -> Iterator[Sentence]:
    """How far the numbers of the page can be trusted."""
    info, about = found.info, found.info.metadata
    resumed = metadata.read_past(about)
    for damage in about["damage"][:DAMAGES_TOLD]:
        where = f"{damage.path}: {damage.reason}, after packet {human.count(damage.packet)}"
        read_on = (damage.path, damage.offset) in resumed
        yield Sentence(WRONG, f"{where}." if read_on else f"{where}. What comes after is not on this page.")
    if (more := len(about["damage"]) - DAMAGES_TOLD) > 0:
        yield Sentence(WRONG, f"{human.counted(more, 'more place')} damaged.")
    if about["skipped"]:
        skipped = human.counted(len(about["skipped"]), "file")
        yield Sentence(NOTABLE, f"{skipped} in the folder are not captures and were skipped.")
    if counts := metadata.uncounted(about):
        yield Sentence(NOTABLE, f"Records that are in no connection: {counts}.", found.evidence.uncounted())
    if late := about["late"]:
        said = "Records are not in the order of time; --order time sorts them."
        yield Sentence(NOTABLE, said, (Place(late.input, late.packet),))
    if about["without_time"]:
        counted = human.counted(about["without_time"], "record")
        places = found.evidence.untimed.of()
        yield Sentence(NOTABLE, f"{counted} without a time; pictures over time leave them out.", places)
    if info.captured_octets < info.wire_octets:
        cut = f"{human.octets(info.captured_octets)} captured of {human.octets(info.wire_octets)}"
        said = f"Packets were cut when they were captured ({cut}): some checksums cannot be verified."
        yield Sentence(NOTABLE, said, found.evidence.of_verdict("truncated"))
    for name, count in info.anomalies.items():
        if count:
            yield Sentence(NOTABLE, f"{human.count(count)} times: {name.replace('_', ' ')}.")
    yield from (Sentence(NOTABLE, hint) for hint in about.get("hints", ()))
    if info.packets and not about["damage"]:
        yield Sentence(SOUND, "Every input was read to its end, and every record is counted in one place.")


def wrong(found: Findings) -> Iterator[Sentence]:
    """What is wrong, who sent it, and what may have caused it."""
    judged = found.checksums
    illegal = _illegal(found)
    if judged.blame:
        yield Sentence(WRONG, judged.blame, found.evidence.of_verdict("bad"))
    if headers := judged.ip_verdicts["bad"]:
        said = f"{human.counted(headers, 'IPv4 header')} with a bad checksum."
        yield Sentence(WRONG, said, found.evidence.headers.of(verdicts.BAD))
    if illegal:
        what = "a coverage, or the lack of a checksum, that its protocol forbids"
        yield Sentence(WRONG, f"{human.count(illegal)} illegal: {what}.", found.evidence.of_verdict("illegal"))
    for hint in judged.hints[:HINTS_TOLD]:
        yield Sentence(NOTABLE, f"Hint: {hint.text}", tuple(Place(*place) for place in hint.in_packets))
    if judged.offload:
        yield Sentence(SOUND, judged.offload, found.evidence.of_verdict("partial"))
    yield from _of_connections(found)


def _illegal(found: Findings) -> int:
    return sum(counts["illegal"] for counts in found.checksums.verdicts.values())


def _of_connections(found: Findings) -> Iterator[Sentence]:
    ends: dict[str, int] = {}
    first: dict[str, list[int]] = {}  # connections
    outcomes = found.numbers["outcomes"]
    for word, count, flow in zip(*(outcomes[name] for name in ("outcome", "connections", FLOW)), strict=True):
        ends[word] = ends.get(word, 0) + count
        first.setdefault(word, []).append(flow)
    total = sum(ends.values())
    for word, said in (("refused", "were refused"), ("no answer", "were never answered")):
        if count := ends.get(word, 0):
            places = tuple(sorted(found.evidence.flows.first(first[word]))[:FEW])
            yield Sentence(NOTABLE, f"{human.count(count)} of {human.counted(total, 'connection')} {said}.", places)
    losses = found.numbers["losses"]
    if worst := max(losses["retransmitted"], default=0):
        place = losses["retransmitted"].index(worst)
        between = f"{losses['client'][place]} and {losses['server'][place]}"
        places = found.evidence.again.of(losses[FLOW][place])
        yield Sentence(NOTABLE, f"Most packets sent again: {human.count(worst)}, between {between}.", places)
