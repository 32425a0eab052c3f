"""Reports, which need no table: what is in captures, and what their checksums are like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fluxcap.capture.inputs import Captures, Input
from fluxcap.capture.warn import keeping_warnings
from fluxcap.cluster.account import Account, Accounting
from fluxcap.cluster.gathering import Gathered, Summary, gathered
from fluxcap.cluster.sharing import Sharing
from fluxcap.plan.read_options import ReadOptions
from fluxcap.reports import info
from fluxcap.reports.checksum_report import ChecksumReport
from fluxcap.reports.checksums import Judged, Judging, check_limit, kept, report_on
from fluxcap.reports.info import CaptureInfo, summed
from fluxcap.reports.survey import Survey
from fluxcap.tables.merging import added_up
from fluxcap.values.arrays import arrays


class Reported(NamedTuple):
    """What a worker has found in a group."""

    found: Any  # CaptureInfo or Judged
    account: Account

    @property
    def summary(self) -> Summary:
        """What is to be known of it to join it to others."""
        metadata = self.found.metadata
        fragments = any(counts["fragment"] for counts in self.found.verdicts.values())
        fragments = fragments or metadata["ledger"]["orphan_fragment"][0] > 0
        return Summary(metadata, self.account, fragments, True)


class _Surveying(Accounting, Survey):
    """A survey that keeps account of each input."""


class _Judging(Accounting, Judging):
    """A judging of checksums that keeps account of each input."""


def survey(inputs: Sequence[Input], options: ReadOptions, collect: bool) -> Reported:
    """Survey a group."""
    reading = _Surveying(options, collect)
    with keeping_warnings() as warnings:
        for _ in reading.read(inputs):
            pass
    return Reported(reading.info(), reading.account(warnings))


def judge(inputs: Sequence[Input], options: ReadOptions, collect: bool, list_limit: int) -> Reported:
    """Judge the checksums of a group."""
    reading = _Judging(options._replace(threads=1), collect, list_limit=list_limit)
    with keeping_warnings() as warnings:
        for _ in reading.judge(inputs):
            pass
    found = reading.judged()
    # What is sent from one process to another is no memory of the core.
    return Reported(found._replace(bad=arrays(found.bad), flows=arrays(found.flows)), reading.account(warnings))


def collect_info(src: Captures, options: ReadOptions, sharing: Sharing) -> CaptureInfo:
    """Survey captures."""
    collect = sharing.on_error == "collect"
    with gathered(src, options, sharing, survey, options, collect) as parts:
        found = _found(parts, survey, options, collect)
    whole = info.together(found)
    whole.metadata.update(parts.told(whole.metadata))
    return whole


def collect_checksums(src: Captures, list_limit: int, options: ReadOptions, sharing: Sharing) -> ChecksumReport:
    """Judge the checksums of captures."""
    check_limit(list_limit)
    collect = sharing.on_error == "collect"
    with gathered(src, options, sharing, judge, options, collect, list_limit) as parts:
        found = _found(parts, judge, options, collect, list_limit)
    whole = together(found, kept(list_limit))
    return report_on(whole._replace(metadata=parts.told(whole.metadata)), list_limit)


def _found(parts: Gathered, examine: Callable[..., Reported], *arguments: Any) -> list[Any]:
    """What was found in each group. Where datagrams may be in several, one worker reads all of them."""
    made = parts.parts
    if len(made) > 1 and any(one.fragments for one in parts.summaries) and not parts.interrupted:
        made = [parts.sharers.do(examine, [item for group in parts.groups for item in group], *arguments)]
    return parts.sharers.results(parts.sharers.each(_result, made))


def _result(part: Reported) -> Any:
    return part.found


def together(several: Sequence[Judged], limit: int) -> Judged:
    """What was found in inputs that were read in parts, in order, with so many of the bad records."""
    inputs = np.cumsum([0, *(len(one.metadata["inputs"]) for one in several)])
    bad = _behind([one.bad for one in several], inputs)
    sums = ("packets", "verdicts", "ip_verdicts", "gre_verdicts", "segmented", "bad_records")
    return Judged(
        **{name: summed([getattr(one, name) for one in several]) for name in sums},
        bad={name: values[:limit] for name, values in bad.items()},
        flows=_behind([one.flows for one in several], inputs),
        interfaces=[named for one in several for named in one.interfaces],
        metadata=added_up([one.metadata for one in several]),
    )


def _behind(several: Sequence[Any], inputs: Any) -> dict[str, Any]:
    """Rows of several groups, with inputs numbered through."""
    columns = {name: np.concatenate([one[name] for one in several]) for name in several[0]}
    numbers = np.repeat(inputs[: len(several)], [len(one["file"]) for one in several])
    columns["file"] = (columns["file"] + numbers).astype(columns["file"].dtype)
    return columns
