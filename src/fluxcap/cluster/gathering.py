"""What the workers make of groups of inputs, and what is to be known of it to join it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from fluxcap.capture.inputs import Captures, Input
from fluxcap.capture.joined import about_joined
from fluxcap.capture.left_out import no_capture
from fluxcap.capture.warn import warn
from fluxcap.cluster.account import Account
from fluxcap.cluster.groups import groups_of
from fluxcap.cluster.ranges import Begun, Read, Seam, mended, whole
from fluxcap.cluster.sharing import Sharing, Workers, workers
from fluxcap.errors import DamagedCaptureWarning
from fluxcap.plan.read_options import ReadOptions
from fluxcap.tables.merging import continued

if TYPE_CHECKING:
    from distributed import Future  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.values.metadata import Metadata


class Summary(NamedTuple):
    """What is to be known of the part of a group to join it to others."""

    metadata: Metadata
    account: Account
    fragments: bool  # whether there are any
    suspects: bool  # whether there may be a first fragment of a datagram
    read: Read | None = None  # what became of it, if it is a range
    seam: Seam = Seam()


class HasSummary(Protocol):
    """What is made of a group."""

    @property
    def summary(self) -> Summary:
        """What is to be known of it."""


def metadata_of(summaries: Sequence[Summary]) -> list[Metadata]:
    """The metadata of each part, of all ranges of an input together."""
    made: list[Metadata] = []
    for one in summaries:
        if one.seam.goes_on:
            made[-1] = continued(made[-1], one.metadata, made[-1]["packets"] if one.seam.passes else 0)
        else:
            made.append(one.metadata)
    return made


class Gathered(NamedTuple):
    """The parts of all groups, where they were made."""

    sharers: Workers
    early: Any  # what `early` began with these parts
    parts: list[Future]
    groups: list[list[Input]]
    summaries: list[Summary]
    account: Account
    interrupted: bool

    @property
    def split(self) -> bool:
        """Whether datagrams may be in several groups."""
        return any(one.fragments for one in self.summaries) and sum(one.suspects for one in self.summaries) > 1

    @property
    def metadata(self) -> list[Metadata]:
        """That of each part, of all ranges of an input together."""
        return metadata_of(self.summaries)

    def told(self, metadata: Metadata) -> Metadata:
        """The metadata of the result, with what became of its inputs. Warns of what the workers met."""
        for error in (*self.account.failed, *self.account.damaged):
            warn(DamagedCaptureWarning(error))
        for warning in {str(one): one for one in self.account.warnings}.values():
            warn(warning)
        made = self.metadata
        # Of a part alone the other hints may be wrong, such as that no record passed the filter.
        common = [hint for hint in made[0]["hints"] if all(hint in one["hints"] for one in made)]
        hints = dict.fromkeys((*common, *about_joined(metadata["joined"])))
        return {**metadata, "hints": list(hints), "files": self.account.rows(), "interrupted": self.interrupted}


def _nothing(sharers: Workers, parts: list[Future], told: list[Future]) -> None:
    """Begin nothing."""


@contextmanager
def gathered(
    src: Captures,
    options: ReadOptions,
    sharing: Sharing,
    read: Callable[..., HasSummary],
    *arguments: Any,
    ranges: bool = False,
    early: Callable[[Workers, list[Future], list[Future]], Any] = _nothing,
) -> Iterator[Gathered]:
    """Let workers read groups of inputs: a part of each is what `read` makes of the group and these arguments. With
    `ranges` a part may be that of a range. `early`: what is to be begun with the reading of parts, and
    is begun again for those that turn out to have captures."""
    options.check()
    if options.order is not None:
        raise ValueError("order='time' merges all inputs, and each machine has some; name the inputs in order instead")
    groups = groups_of(src, sharing.task_bytes, ranges)
    with workers(sharing) as sharers:
        parts = sharers.each(read, groups, *arguments)
        told = dict(zip(parts, sharers.each(_summary, parts, first=True), strict=True))
        begun, of_these = early(sharers, parts, list(told.values())), parts
        interrupted = False
        try:
            sharers.wait_for(parts, partial(_tell, sharing, groups))
        except KeyboardInterrupt:
            there = sharers.finished(parts)
            if options.on_interrupt == "raise" or not there:
                raise
            interrupted = True
            parts, groups = [parts[place] for place in there], [groups[place] for place in there]
        known = dict(zip(parts, sharers.results([told[part] for part in parts]), strict=True))
        if ranges:
            again = None if interrupted else partial(_begin, sharers, read, arguments)
            groups, parts = mended(Begun(groups, parts), [one.read for one in known.values()], again)
            new = [part for part in parts if part not in known]
            told |= zip(new, sharers.each(_summary, new), strict=True)
            known |= zip(new, sharers.results([told[part] for part in new]), strict=True)
        summaries = [known[part] for part in parts]
        account = _account(groups, summaries, sharers.tries(parts))
        _check(account, [one.metadata["inputs"] for one in summaries], groups, sharing)
        captures = [number for number, one in enumerate(summaries) if one.metadata["inputs"]]
        parts = [parts[number] for number in captures]
        yield Gathered(
            sharers,
            begun if parts == of_these else early(sharers, parts, [told[part] for part in parts]),
            parts,
            [groups[number] for number in captures],
            [summaries[number] for number in captures],
            account,
            interrupted,
        )


def _tell(sharing: Sharing, groups: Sequence[Sequence[Input]], place: int) -> None:
    if sharing.on_read is not None:
        sharing.on_read(sum(item.size or 0 for item in groups[place]))


def _begin(
    sharers: Workers, read: Callable[..., HasSummary], arguments: Sequence[Any], group: Sequence[Input]
) -> Future:
    return sharers.do(read, group, *arguments)


def _account(groups: Sequence[Sequence[Input]], summaries: Sequence[Summary], tries: Sequence[int]) -> Account:
    """What became of all inputs, those that were read in ranges among them."""
    made = Account()
    for one, n in zip(summaries, tries, strict=True):
        account = one.account.tried(n)
        made = made.continued(account) if one.seam.goes_on else made + account
    return made.of_inputs(whole(groups))


def _summary(part: HasSummary) -> Summary:
    return part.summary


def _check(account: Account, read: Sequence[object], groups: Sequence[Sequence[Input]], sharing: Sharing) -> None:
    """CaptureError for the first input that is damaged, if that is wanted, or if none could be read."""
    if sharing.on_error == "raise" and account.damaged:
        raise account.damaged[0]
    if not any(read):
        names = [item.name for group in groups for item in group]
        raise next(iter(account.failed), no_capture(groups[0][0].directory, names))
