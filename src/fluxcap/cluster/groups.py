"""Which inputs one task reads."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from fluxcap.capture.inputs import Captures, Input, expand, open_file
from fluxcap.cluster.ranges import cut, range_of
from fluxcap.plan.sizes import octets
from fluxcap.stores.urls import is_url

UNKNOWN: Final = 64 << 20  # bytes that an input is taken to have, if its store does not say


def groups_of(src: Captures, task_bytes: int | str, ranges: bool = False) -> list[list[Input]]:
    """The inputs in order, as many together as make a task; with `ranges` larger ones are cut. ValueError for what no
    other process can open."""
    room = octets(task_bytes, "task_bytes")
    inputs = map(_elsewhere, expand(src))
    return list(_grouped([part for item in inputs for part in (cut(item, room) if ranges else [item])], room))


def _grouped(inputs: Sequence[Input], room: int) -> Iterator[list[Input]]:
    group: list[Input] = []
    size = 0
    for item in inputs:
        more = UNKNOWN if item.size is None else item.size
        if group and (size + more > room or range_of([item]) or range_of(group)):
            yield group
            group, size = [], 0
        group.append(item)
        size += more
    yield group


def _elsewhere(item: Input) -> Input:
    """An input as another process opens it, which may be in another directory."""
    if not is_url(item.name) and not item.once and os.path.exists(item.name):  # noqa: PTH110 (as whole_files)
        item = item._replace(source=partial(open_file, os.path.abspath(item.name)))  # noqa: PTH100
    try:
        pickle.dumps(item)
    except Exception:
        raise ValueError(f"{item.name} is in this process alone; name a path or a URL") from None
    return item
