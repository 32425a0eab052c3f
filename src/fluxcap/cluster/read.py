"""The reading functions, for many machines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fluxcap.capture.inputs import Captures
from fluxcap.cluster.collect import collect_flows
from fluxcap.cluster.reports import collect_checksums, collect_info
from fluxcap.cluster.sharing import OnError, Sharing
from fluxcap.cluster.timelines import collect_timeline
from fluxcap.plan import keys
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.payload import Payload, payload_of
from fluxcap.plan.read_options import ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.reports.checksum_report import ChecksumReport
from fluxcap.reports.info import CaptureInfo
from fluxcap.sockets.table import SocketTable, socket_table
from fluxcap.tables.connections import ConnectionTable
from fluxcap.tables.flows import FlowTable
from fluxcap.tables.timeline.table import SECOND, TimelineTable

if TYPE_CHECKING:
    from distributed import Client  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.plan.durations import Duration
    from fluxcap.plan.keys import KeySet
    from fluxcap.plan.semantics import End, SemanticsName


def read_flows(
    src: Captures,
    by: KeySet | str | Iterable[str] = "5tuple",
    *,
    biflow: bool = True,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    semantics: SemanticsName | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    end: End | None = None,
    interval: Duration | None = None,
    features: bool = False,
    activity: bool = False,
    splt: int = 0,
    payload: int | Payload = 0,
    client: Client | None = None,
    task_bytes: int | str = "512MB",
    fan_in: int = 8,
    on_error: OnError = "collect",
    retries: int = 2,
) -> FlowTable:
    """Read captures into one table of flows: that of fluxcap.read_flows(), made by many machines.

    Parameters
    ----------
    src : path, URL, or a list of these
        Captures to read as one, in this order, as fluxcap.read_flows() takes them. Every worker has to reach them.
    by, biflow, where, inner, decap, tunnels, semantics, idle_timeout, active_timeout, end, interval, features,
    activity, splt, payload
        As in fluxcap.read_flows(). `file` is no field here.
    client : distributed.Client, optional
        Whose workers read. None: threads of this process.
    task_bytes : int or str, default "512MB"
        Inputs that are smaller are read together, up to so many bytes as stored. Larger ones are read in ranges of so
        many, if flows are sums: without timeouts, interval, features, splt and payload.
    fan_in : int, default 8
        Tables that are merged at a time.
    on_error : {"collect", "raise"}, default "collect"
        An input that is damaged or cannot be read: "collect" warns and goes on, "raise" raises the CaptureError.
    retries : int, default 2
        How often a task is tried again after an error of a disk, a store or the network, which may pass. What is no
        capture, or damaged, is read once.

    Returns
    -------
    FlowTable
        The rows of fluxcap.read_flows(), in the same order. `metadata["files"]` says what became of each input: path,
        size, packets, seconds, worker, error, tries, ranges.

    Raises
    ------
    CaptureError
        An input cannot be read and `on_error` is "raise", or no input can be read.
    ValueError
        An option is not one of those described, or an input is in this process alone.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged or could not be read.

    Examples
    --------
    >>> import fluxcap.cluster
    >>> flows = fluxcap.cluster.read_flows("samples/v*.pcap")  # doctest: +SKIP
    """
    plan = FlowPlan(
        keys.parse(by, biflow),
        semantics=semantics,
        idle_timeout=idle_timeout,
        active_timeout=active_timeout,
        end=end,
        interval=interval,
        features=features,
        activity=activity,
        splt=splt,
        payload=payload_of(payload),
    )
    options = ReadOptions(where, decap, 1, inner=inner, tunnels=tunnels)
    return collect_flows(src, plan, options, FlowTable, Sharing(client, task_bytes, fan_in, on_error, retries))


def read_connections(
    src: Captures,
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    semantics: SemanticsName | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    ignore_checksums: bool = False,
    client: Client | None = None,
    task_bytes: int | str = "512MB",
    fan_in: int = 8,
    on_error: OnError = "collect",
    retries: int = 2,
) -> ConnectionTable:
    """Read captures into one table of connections: that of fluxcap.read_connections(), made by many machines.

    Parameters
    ----------
    src, client, task_bytes, fan_in, on_error, retries
        As in read_flows() of this module.
    where, inner, decap, tunnels, semantics, idle_timeout, active_timeout, ignore_checksums
        As in fluxcap.read_connections().

    Returns
    -------
    ConnectionTable
        The rows of fluxcap.read_connections(), in the same order.

    See Also
    --------
    read_flows : says more about the options.

    Examples
    --------
    >>> import fluxcap.cluster
    >>> connections = fluxcap.cluster.read_connections("samples/s*.pcap")  # doctest: +SKIP
    """
    plan = FlowPlan(
        semantics=semantics,
        idle_timeout=idle_timeout,
        active_timeout=active_timeout,
        connections=True,
        ignore_checksums=ignore_checksums,
    )
    options = ReadOptions(where, decap, 1, inner=inner, tunnels=tunnels)
    return collect_flows(src, plan, options, ConnectionTable, Sharing(client, task_bytes, fan_in, on_error, retries))


def read_sockets(
    src: Captures,
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    ignore_checksums: bool = False,
    client: Client | None = None,
    task_bytes: int | str = "512MB",
    fan_in: int = 8,
    on_error: OnError = "collect",
    retries: int = 2,
) -> SocketTable:
    """Read captures into one table of sockets: that of fluxcap.read_sockets(), made by many machines.

    Parameters
    ----------
    src, client, task_bytes, fan_in, on_error, retries
        As in read_flows() of this module.
    where, inner, decap, tunnels, ignore_checksums
        As in fluxcap.read_sockets().

    Returns
    -------
    SocketTable
        The rows of fluxcap.read_sockets(), in the same order.

    See Also
    --------
    read_flows : says more about the options.

    Examples
    --------
    >>> import fluxcap.cluster
    >>> sockets = fluxcap.cluster.read_sockets("samples/s*.pcap")  # doctest: +SKIP
    """
    plan = FlowPlan(connections=True, ignore_checksums=ignore_checksums)
    options = ReadOptions(where, decap, 1, inner=inner, tunnels=tunnels)
    sharing = Sharing(client, task_bytes, fan_in, on_error, retries)
    return socket_table(collect_flows(src, plan, options, ConnectionTable, sharing))


def read_info(
    src: Captures,
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    client: Client | None = None,
    task_bytes: int | str = "512MB",
    fan_in: int = 8,
    on_error: OnError = "collect",
    retries: int = 2,
) -> CaptureInfo:
    """Survey captures: what fluxcap.read_info() says, found by many machines.

    Parameters
    ----------
    src, client, task_bytes, fan_in, on_error, retries
        As in read_flows() of this module.
    where, inner, decap, tunnels
        As in fluxcap.read_info().

    Returns
    -------
    CaptureInfo
        The description that fluxcap.read_info() gives.

    See Also
    --------
    read_flows : says more about the options.

    Examples
    --------
    >>> import fluxcap.cluster
    >>> info = fluxcap.cluster.read_info("samples/v*.pcap")  # doctest: +SKIP
    """
    options = ReadOptions(where, decap, 1, inner=inner, tunnels=tunnels)
    return collect_info(src, options, Sharing(client, task_bytes, fan_in, on_error, retries))


def read_checksums(
    src: Captures,
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    list_limit: int = 1000,
    client: Client | None = None,
    task_bytes: int | str = "512MB",
    fan_in: int = 8,
    on_error: OnError = "collect",
    retries: int = 2,
) -> ChecksumReport:
    """Judge every checksum of captures: the report of fluxcap.read_checksums(), made by many machines.

    Parameters
    ----------
    src, client, task_bytes, fan_in, on_error, retries
        As in read_flows() of this module.
    where, inner, decap, tunnels, list_limit
        As in fluxcap.read_checksums().

    Returns
    -------
    ChecksumReport
        The report that fluxcap.read_checksums() gives.

    See Also
    --------
    read_flows : says more about the options.

    Examples
    --------
    >>> import fluxcap.cluster
    >>> report = fluxcap.cluster.read_checksums("samples/v*.pcap")  # doctest: +SKIP
    """
    options = ReadOptions(where, decap, 1, inner=inner, tunnels=tunnels)
    return collect_checksums(src, list_limit, options, Sharing(client, task_bytes, fan_in, on_error, retries))


def read_timeline(
    src: Captures,
    interval: Duration = SECOND,
    *,
    by: str | None = None,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    ignore_checksums: bool = False,
    client: Client | None = None,
    task_bytes: int | str = "512MB",
    fan_in: int = 8,
    on_error: OnError = "collect",
    retries: int = 2,
) -> TimelineTable:
    """Read captures into one row an interval of time: the table of fluxcap.read_timeline(), made by many machines.

    Parameters
    ----------
    src, client, task_bytes, fan_in, on_error, retries
        As in read_flows() of this module.
    interval, by, where, inner, decap, tunnels, ignore_checksums
        As in fluxcap.read_timeline().

    Returns
    -------
    TimelineTable
        The rows of fluxcap.read_timeline(), in the same order.

    See Also
    --------
    read_flows : says more about the options.

    Examples
    --------
    >>> import fluxcap.cluster
    >>> timeline = fluxcap.cluster.read_timeline("samples/s*.pcap", "1m")  # doctest: +SKIP
    """
    options = ReadOptions(where, decap, 1, inner=inner, tunnels=tunnels)
    sharing = Sharing(client, task_bytes, fan_in, on_error, retries)
    return collect_timeline(src, interval, by, options, sharing, ignore_checksums)
