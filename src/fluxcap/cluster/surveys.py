"""What a worker finds in a group of inputs, without a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fluxcap.capture.inputs import Input
from fluxcap.capture.warn import keeping_warnings
from fluxcap.cluster.account import Account, Accounting
from fluxcap.plan.read_options import ReadOptions
from fluxcap.reports.info import CaptureInfo
from fluxcap.reports.survey import Survey


class Surveyed(NamedTuple):
    """The description of a group."""

    info: CaptureInfo
    account: Account

    @property
    def fragments(self) -> bool:
        """Whether the group has fragments whose datagram may go on in another."""
        found = any(counts["fragment"] for counts in self.info.verdicts.values())
        return found or self.info.ledger["orphan_fragment"][0] > 0


class _Surveying(Accounting, Survey):
    """A survey that keeps account of each input."""


def survey(inputs: Sequence[Input], options: ReadOptions, collect: bool) -> Surveyed:
    """Survey a group."""
    reading = _Surveying(options, collect)
    with keeping_warnings() as warnings:
        for _ in reading.read(inputs):
            pass
    return Surveyed(reading.info(), reading.account(warnings))
