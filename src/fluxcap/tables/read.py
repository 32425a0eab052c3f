"""Reading captures into tables of flows and of packets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, overload

from fluxcap.capture.inputs import Captures, expand
from fluxcap.capture.reading import Reading
from fluxcap.plan import keys
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.payload import Payload, payload_of
from fluxcap.plan.places import place_of
from fluxcap.plan.read_options import OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.tables.flows import FlowTable, collect_flows, flow_table
from fluxcap.tables.packets import PacketTable, choose, choose_with_flow, collect_packets, packet_table, witnessed

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration
    from fluxcap.plan.keys import KeySet
    from fluxcap.plan.places import At
    from fluxcap.plan.semantics import End, SemanticsName


@overload
def read_flows(
    src: Captures,
    by: KeySet | str | Iterable[str] = "5tuple",
    *,
    biflow: bool = True,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    semantics: SemanticsName | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    end: End | None = None,
    interval: Duration | None = None,
    max_flows: int | None = None,
    max_memory: int | str | None = None,
    features: bool = False,
    activity: bool = False,
    splt: int = 0,
    payload: int | Payload = 0,
    server_names: bool = False,
    threads: int | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
    packets: Literal[False] = False,
) -> FlowTable: ...
@overload
def read_flows(
    src: Captures,
    by: KeySet | str | Iterable[str] = "5tuple",
    *,
    biflow: bool = True,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    semantics: SemanticsName | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    end: End | None = None,
    interval: Duration | None = None,
    max_flows: int | None = None,
    max_memory: int | str | None = None,
    features: bool = False,
    activity: bool = False,
    splt: int = 0,
    payload: int | Payload = 0,
    server_names: bool = False,
    threads: int | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
    packets: Literal[True] | str | Sequence[str],
) -> tuple[FlowTable, PacketTable]: ...
def read_flows(
    src: Captures,
    by: KeySet | str | Iterable[str] = "5tuple",
    *,
    biflow: bool = True,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    semantics: SemanticsName | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    end: End | None = None,
    interval: Duration | None = None,
    max_flows: int | None = None,
    max_memory: int | str | None = None,
    features: bool = False,
    activity: bool = False,
    splt: int = 0,
    payload: int | Payload = 0,
    server_names: bool = False,
    threads: int | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
    packets: bool | str | Sequence[str] = False,
) -> FlowTable | tuple[FlowTable, PacketTable]:
    """Read captures into one table of flows.

    Parameters
    ----------
    src : path, URL, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    by : str or iterable of str, default "5tuple"
        Fields that make a flow, or a named set: "5tuple", "ports", "hosts", "sockets".
        "src_ip/24" is a network, "src_ip/24/64" one prefix length for IPv4 and one for IPv6.
    biflow : bool, default True
        Put both directions of a flow into one row, if the key is symmetric in source and destination.
    where : str, optional
        Count only records that match this filter, in tcpdump's language (extra `where`).
    inner : bool, default False
        Put the filter to the innermost IP packet. False: to the outermost headers, as tcpdump does.
    decap : bool, default True
        Look into tunnels, down to the innermost packet. False: stop at the first IP header.
    tunnels : dict of int to str, optional
        UDP ports that carry a tunnel besides the registered ones, as in {7777: "vxlan"}: docs/tunnels.md has the kinds.
    order : {"time"}, optional
        "time": merge the inputs in the order of time, and sort the records of each within `reorder`. None: as they
        stand.
    reorder : float or str, optional
        How much later than its time a record may stand in its input: seconds, or a text such as "100ms". None: "1s".
    dedupe : bool, float or str, default False
        Leave out copies of packets, which mirrors and hops show again within 10 ms, or within this: at most "200ms",
        seconds or a text (docs/duplicates.md).
    semantics : {"wireshark", "zeek", "nfstream", "yaf", "cicflowmeter"}, optional
        Take timeouts, direction and bytes from this program (docs/semantics.md).
    idle_timeout : float or str, optional
        End a flow after this long without a packet: seconds, or a text such as "30s" or "500ms".
    active_timeout : float or str, optional
        Split a flow that lasts longer than this. Same units.
    end : {"tcp"}, optional
        "tcp": a SYN begins another flow where a RST, or FINs of both sides, have ended the one before.
    interval : float or str, optional
        Add a column `interval` to the key: the start of the interval that the record falls into. Same units.
    max_flows : int, optional
        Stop, with a warning, before the record that would need one flow more.
    max_memory : int or str, optional
        Stop, with a warning, before the table of flows takes more than this: bytes, or a text such as "512M" or
        "2GiB". What was read before is exact. With `packets`, both tables together.
    features : bool, default False
        Add, for each direction, statistics of packet sizes (bytes) and of gaps between packets (ns): minimum,
        mean, sample standard deviation, maximum; and the number of packets by TCP flag.
    activity : bool, default False
        Add payload sizes, headers, TCP windows, bulks, active and idle times, subflows (docs/cicflowmeter.md).
    splt : int, default 0
        Add direction (0 forward, 1 reverse), size (bytes) and gap (ns) of this many first packets, at most 255,
        in columns of shape (n, splt); -1 after the last packet.
    payload : int or Payload, default 0
        Add the first so many payload bytes of each flow, of both directions as they came: `payload` of shape (n,
        payload) and type uint8, zeros behind its `payload_captured` bytes. A Payload says more: bytes from the IP
        header on, and zeros for addresses and ports. One thread reads then.
    server_names : bool, default False
        Add the name of the server, as far as the packets tell it: columns `server_name` and `server_name_basis`
        (docs/server-names.md). Only one thread reads then.
    threads : int, optional
        Threads to read with, at most one a processor. None: all, few for small inputs. The result is the same.
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the input does, with `metadata["interrupted"]` True.
    packets : bool, str or sequence of str, default False
        Also return a table of packets, made in the same pass: True for the default columns, or the columns named; with
        `payload` those of it too. Its column `flow` is the row of each packet in the flow table; -1 for none, null in
        Arrow. Only one thread reads then.

    Returns
    -------
    FlowTable
        One row a flow, in the order of the first records. Forward is the direction of the first record.
    (FlowTable, PacketTable)
        If `packets` is not False.

    Raises
    ------
    NotACaptureError
        An input is not a capture.
    FilterError
        libpcap refuses the filter.
    CaptureError
        An input is damaged and `on_damage` is "raise"; `partial` holds what was read before the damage.
    OSError
        An input cannot be opened.
    ValueError
        The key, a timeout, a limit, `splt`, `threads` or `semantics` is not one of those described.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is returned.

    See Also
    --------
    scan_packets : packets of captures larger than memory.
    read_connections : what became of each connection.

    Notes
    -----
    Every record is in exactly one place of `metadata["ledger"]`, {disposition: (records, wire bytes)}.

    Examples
    --------
    >>> import fluxcap
    >>> flows = fluxcap.read_flows("samples/sockets.pcapng", by="ports")
    >>> flows.columns[:4]
    ('protocol', 'src_port', 'dst_port', 'packets')
    >>> flows["packets"].dtype, len(flows) == len(flows["packets"])
    (dtype('uint64'), True)
    >>> dns = fluxcap.read_flows("samples/sockets.pcapng", where="udp port 53", idle_timeout="30s")
    """
    plan = FlowPlan(
        keys.parse(by, biflow),
        semantics=semantics,
        idle_timeout=idle_timeout,
        active_timeout=active_timeout,
        end=end,
        interval=interval,
        max_flows=max_flows,
        max_memory=max_memory,
        features=features,
        activity=activity,
        splt=splt,
        payload=payload_of(payload),
        server_names=server_names,
    )
    options = ReadOptions(where, decap, threads, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead)
    if packets is False:
        return collect_flows(src, plan, options, FlowTable)
    chosen = choose_with_flow(packets, plan.payload)
    return collect_both(src, plan, options._replace(payload=plan.payload), chosen)


def read_packets(
    src: Captures,
    *,
    columns: str | Sequence[str] | None = None,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    by: KeySet | str | Iterable[str] | None = None,
    payload: int | Payload = 0,
    at: At | None = None,
    max_memory: int | str | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> PacketTable:
    """Read captures into one table of packets, one row a record.

    Parameters
    ----------
    src : path, URL, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    columns : str or sequence of str, optional
        Columns to make, comma-separated or a sequence. None: the default ones.
    where : str, optional
        Count only records that match this filter, in tcpdump's language (extra `where`).
    inner : bool, default False
        Put the filter to the innermost IP packet. False: to the outermost headers, as tcpdump does.
    decap : bool, default True
        Look into tunnels, down to the innermost packet. False: stop at the first IP header.
    tunnels : dict of int to str, optional
        UDP ports that carry a tunnel besides the registered ones, as in {7777: "vxlan"}: docs/tunnels.md has the kinds.
    order : {"time"}, optional
        "time": merge the inputs in the order of time, and sort the records of each within `reorder`. None: as they
        stand.
    reorder : float or str, optional
        How much later than its time a record may stand in its input: seconds, or a text such as "100ms". None: "1s".
    dedupe : bool, float or str, default False
        Leave out copies of packets, which mirrors and hops show again within 10 ms, or within this: at most "200ms",
        seconds or a text (docs/duplicates.md).
    by : str or iterable of str, optional
        Make flows by this key in the same pass, and give the row of each packet in that flow table as the
        column `flow`. With `flow` in `columns` and no `by`: by five-tuple.
    payload : int or Payload, default 0
        Add the first so many payload bytes of each packet behind the other columns: `payload_offset`, where they begin
        in the record, `payload_captured`, how many there are, and `payload` of shape (n, payload) and type uint8,
        zeros behind these. A Payload says more: bytes from the IP header on, and zeros for addresses and ports.
    at : int, str, datetime or numpy.datetime64, optional
        Begin at the packet of this number, or at the first one of this time or later, such as "2026-11-29T21:05Z" (UTC
        where no zone is said), in the order of the file. An index leads there (docs/capture-index.md). None: at the
        first.
    max_memory : int or str, optional
        Make no further rows, with a warning, before the table and its flows take more than this: bytes, or a text
        such as "512M" or "2GiB". The ledger counts the packets without a row too, and `metadata["rows_left_out"]`
        says how many these are. A record that would need another flow than there is memory for ends the reading.
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the input does, with `metadata["interrupted"]` True.

    Returns
    -------
    PacketTable
        Rows in the order of the capture.

    Raises
    ------
    NotACaptureError
        An input is not a capture.
    FilterError
        libpcap refuses the filter.
    CaptureError
        An input is damaged and `on_damage` is "raise"; `partial` holds what was read before the damage.
    OSError
        An input cannot be opened.
    ValueError
        A column or the key is unknown, a column is named twice, or `at` is no place in these inputs.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is returned.

    Examples
    --------
    >>> import fluxcap
    >>> packets = fluxcap.read_packets("samples/verdicts.pcap", columns="packet,src_port,verdict")
    >>> packets.columns
    ('packet', 'src_port', 'verdict')
    >>> [fluxcap.VERDICTS[verdict] for verdict in packets["verdict"][:2]]  # ARP has none; then UDP
    ['none', 'good']
    """
    kept = payload_of(payload)
    chosen, plan = choose(columns, by, kept)
    options = ReadOptions(
        where, decap, 1, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead, at=place_of(at),
        payload=kept,
    )  # fmt: skip
    return collect_packets(src, chosen, plan, options, max_memory)


def collect_both(
    src: Captures, plan: FlowPlan, options: ReadOptions, columns: tuple[str, ...]
) -> tuple[FlowTable, PacketTable]:
    """The flows of a plan and these columns of their packets, from one pass."""
    spec = plan.spec()
    # One thread keeps rows in order.
    reading = Reading(options._replace(threads=1), key=spec, columns=witnessed(columns), max_octets=spec["max_memory"])
    inputs = expand(src)
    return reading.collect(
        inputs, lambda: (flow_table(FlowTable, reading, plan, last=True, inputs=inputs), packet_table(reading, columns))
    )
