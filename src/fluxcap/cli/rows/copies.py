"""Whether the packets behind some rows are copies of others: a hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options
from fluxcap.stores.urls import is_url

if TYPE_CHECKING:
    from fluxcap.cli.inputs import Sources
    from fluxcap.values.metadata import Metadata


def hint(given: Options, sources: Sources, metadata: Metadata, messages: Messages) -> None:
    """Say how many of the first records of the first input are copies, if there are some, by reading them once more."""
    item = sources.inputs[0]
    asked = given.dedupe or given.scheduler or messages.quiet or metadata["interrupted"]
    if asked or item.once or item.size is None or is_url(item.name):
        return
    from fluxcap.reports.copies import sampled

    found = sampled(item, given.reading)
    if found.many:
        of = "of the first " if found.records < metadata["packets"] else "of "
        messages.hint(f"{found.text.replace('of ', of, 1)}; --dedupe leaves them out")
