"""--scheduler: the machines of a Dask cluster read the inputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from fluxcap.capture.meter import METER
from fluxcap.cli.exits import UsageError
from fluxcap.cli.messages import Messages
from fluxcap.cli.options import Options, Parser
from fluxcap.cli.progress import Progress

if TYPE_CHECKING:
    from fluxcap.cli.inputs import Sources
    from fluxcap.cluster.sharing import Sharing
    from fluxcap.plan.flow_plan import FlowPlan
    from fluxcap.tables.flows import FlowTable

F = TypeVar("F", bound="FlowTable")
T = TypeVar("T")

# Options about one reading of all inputs, in one process.
OF_ONE_PROCESS: Final = (
    *("order", "reorder", "ahead", "threads", "max_memory", "max_flows", "extract", "as_they_end", "follow", "life"),
    "dedupe",  # a copy may lie in another group of inputs than the packet
    "server_names",  # ... and the answer that names an address in another one than the flow
)


def add(parser: Parser) -> None:
    """Add --scheduler."""
    what = "let a Dask cluster read: tcp://HOST:PORT, or local[:N] for N processes of this machine"
    parser.add_argument("--scheduler", metavar="ADDRESS", help=what)


def check(given: Options) -> None:
    """UsageError for options that do not go with --scheduler, and for an address that is none."""
    if given.scheduler is None:
        return
    for name in OF_ONE_PROCESS:
        if vars(given).get(name):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is for one process, and --scheduler has several", f"Leave out {option}.")
    kind, _, rest = given.scheduler.partition(":")
    if not (rest.startswith("//") if kind in ("tcp", "tls", "ws", "wss") else kind == "local" and _is_number(rest)):
        raise UsageError(
            f"{given.scheduler!r} is no address of a scheduler", "Say tcp://HOST:PORT, or local:N for N processes."
        )


def _is_number(text: str) -> bool:
    return not text or (text.isdecimal() and int(text) > 0)


def read_flows(given: Options, sources: Sources, plan: FlowPlan, kind: type[F], messages: Messages) -> F:
    """Read the flows of a plan: in this process, or on a cluster if that was typed."""
    if given.scheduler is not None:
        from fluxcap.cluster import collect

        collected = partial(collect.collect_flows, sources.inputs, plan, given.reading, kind)
        return share(given, sources, messages, collected)
    from fluxcap.tables.flows import collect_flows

    with Progress(sources, messages):
        return collect_flows(sources.inputs, plan, given.reading, kind)


def share(given: Options, sources: Sources, messages: Messages, collect: Callable[[Sharing], T]) -> T:
    """Let `collect` share out its work over the cluster of --scheduler."""
    from fluxcap.cluster.sharing import Sharing, dashboard, scheduler

    try:
        with scheduler(given.scheduler) as client:
            if link := dashboard(client):
                messages.hint(f"the workers: {link}")
            with Progress(sources, messages):
                return collect(Sharing(client, on_error="raise" if given.strict else "collect", on_read=METER.add))
    except ValueError as error:
        raise UsageError.of(error) from error
