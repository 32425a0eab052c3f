"""From the inputs to one result: tasks for groups of inputs, and how their results are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from fluxcap.capture.inputs import Captures, Input
from fluxcap.capture.left_out import no_capture
from fluxcap.capture.warn import warn
from fluxcap.cluster.account import Account
from fluxcap.cluster.groups import groups_of
from fluxcap.cluster.part import Part, Work, read_part
from fluxcap.cluster.seams import across, corrected, excerpts, joined, keys_of, read_again, strayed
from fluxcap.cluster.sharing import Alone, Sharing, Workers, workers
from fluxcap.cluster.surveys import Surveyed, survey
from fluxcap.errors import DamagedCaptureWarning
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.reports.info import CaptureInfo, together
from fluxcap.tables.flows import FlowTable, added_up, merge, refusal

if TYPE_CHECKING:
    from distributed import Future  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.values.metadata import Metadata

T = TypeVar("T", bound=FlowTable)


class Summary(NamedTuple):
    """What is to be known of a part to join it to others."""

    metadata: Metadata
    account: Account
    fragments: bool
    suspects: bool


def collect_flows(src: Captures, plan: FlowPlan, options: ReadOptions, kind: type[T], sharing: Sharing) -> T:
    """Read captures into a table of this kind."""
    plan.spec()  # what contradicts itself is refused before any work
    options.check()
    _refuse_order(options)
    if "file" in plan.key.names:
        raise ValueError("`file` is no field where many machines read; read the captures with fluxcap.read_flows()")
    groups = groups_of(src, sharing.task_bytes)
    work = Work(plan, options, kind, sharing.on_error == "collect")
    with workers(sharing) as sharers:
        parts = sharers.each(read_part, groups, work)
        interrupted = False
        try:
            sharers.wait_for(parts)
        except KeyboardInterrupt:
            if options.on_interrupt == "raise" or not (there := sharers.finished(parts)):
                raise
            interrupted, sharers = True, Alone()
            parts, groups = list(there.values()), [groups[place] for place in there]
        summaries: list[Summary] = sharers.results(sharers.each(_summary, parts))
        account = sum((one.account for one in summaries), Account())
        _check(account, [one.metadata["inputs"] for one in summaries], groups, sharing)
        read = [number for number, one in enumerate(summaries) if one.metadata["inputs"]]
        parts = [parts[number] for number in read]
        made = [summaries[number].metadata for number in read]
        metadata = added_up(made)
        # Of a part alone the other hints may be wrong, such as that no record passed the filter.
        metadata["hints"] = [hint for hint in made[0]["hints"] if all(hint in one["hints"] for one in made)]
        split = any(one.fragments for one in summaries) and sum(one.suspects for one in summaries) > 1
        table: T
        if split or not metadata["in_order"] or refusal(made):
            table = _by_seams(sharers, parts, [groups[number] for number in read], work, metadata, split)
        else:
            table = sharers.result(sharers.tree(merge, sharers.each(_table, parts)))
    table.metadata = {**table.metadata, "hints": metadata["hints"], "files": account.rows()}
    table.metadata["interrupted"] = interrupted
    _say(account)
    return table


def _by_seams(
    sharers: Workers, parts: list[Future], groups: list[list[Input]], work: Work, metadata: Metadata, split: bool
) -> Any:
    keys = sharers.each(keys_of, parts)
    shared, more = sharers.do(across, keys, split), True
    while more:
        made = [sharers.do(excerpts, part, group, work, shared) for part, group in zip(parts, groups, strict=True)]
        again = sharers.do(read_again, made, work) if any(sharers.results(sharers.each(len, made))) else None
        more = split and again is not None
        if more:
            shared, more = sharers.result(sharers.do(strayed, keys, shared, again, metadata["biflow"]))
    corrections = sharers.do(corrected, metadata, made, again, work) if split and again is not None else metadata
    return sharers.result(sharers.do(joined, parts, shared, again, work, corrections))


def _summary(part: Part) -> Summary:
    return Summary(part.table.metadata, part.account, bool(part.fragments.any()), bool(part.suspects.any()))


def _table(part: Part) -> FlowTable:
    return part.table


def collect_info(src: Captures, options: ReadOptions, sharing: Sharing) -> CaptureInfo:
    """Survey captures. Where datagrams may be in several groups, one worker reads all of them."""
    options.check()
    _refuse_order(options)
    groups = groups_of(src, sharing.task_bytes)
    with workers(sharing) as sharers:
        found = _surveyed(sharers, groups, options, sharing)
        if any(one.fragments for one in found) and len(found) > 1:
            found = _surveyed(sharers, [[item for group in groups for item in group]], options, sharing)
    account = sum((one.account for one in found), Account())
    _check(account, [one.info.inputs for one in found], groups, sharing)
    info = together([one.info for one in found if one.info.inputs])
    info.metadata["files"] = account.rows()
    _say(account)
    return info


def _surveyed(
    sharers: Workers, groups: Sequence[Sequence[Input]], options: ReadOptions, sharing: Sharing
) -> list[Surveyed]:
    return sharers.results(sharers.each(survey, groups, options, sharing.on_error == "collect"))


def _refuse_order(options: ReadOptions) -> None:
    if options.order is not None:
        raise ValueError("order='time' merges all inputs, and each machine has some; name the inputs in order instead")


def _check(account: Account, read: Sequence[object], groups: Sequence[Sequence[Input]], sharing: Sharing) -> None:
    """CaptureError for the first input that is damaged, if that is wanted, or if none could be read."""
    if sharing.on_error == "raise" and account.damaged:
        raise account.damaged[0]
    if not any(read):
        names = [item.name for group in groups for item in group]
        raise next(iter(account.failed), no_capture(groups[0][0].directory, names))


def _say(account: Account) -> None:
    """Warn of what the workers met, of the same thing once."""
    for error in (*account.failed, *account.damaged):
        warn(DamagedCaptureWarning(error))
    for warning in {str(one): one for one in account.warnings}.values():
        warn(warning)
