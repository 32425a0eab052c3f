"""Reading captures into tables of flows and of packets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, overload

from fluxcap.capture.inputs import Captures, expand
from fluxcap.capture.reading import OnDamage, OnInterrupt, Reading, threads_for
from fluxcap.plan import keys
from fluxcap.plan.spec import key_spec
from fluxcap.tables.flows import FlowTable, flow_table
from fluxcap.tables.packets import PacketTable, choose, choose_with_flow, packet_table
from fluxcap.tables.scan import PacketScan

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration


@overload
def read_flows(
    src: Captures,
    by: str | Iterable[str] = "5tuple",
    *,
    biflow: bool = True,
    where: str | None = None,
    decap: bool = True,
    semantics: str | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    interval: Duration | None = None,
    max_flows: int | None = None,
    features: bool = False,
    splt: int = 0,
    threads: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
    packets: Literal[False] = False,
) -> FlowTable: ...
@overload
def read_flows(
    src: Captures,
    by: str | Iterable[str] = "5tuple",
    *,
    biflow: bool = True,
    where: str | None = None,
    decap: bool = True,
    semantics: str | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    interval: Duration | None = None,
    max_flows: int | None = None,
    features: bool = False,
    splt: int = 0,
    threads: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
    packets: Literal[True] | str | Sequence[str],
) -> tuple[FlowTable, PacketTable]: ...
def read_flows(
    src: Captures,
    by: str | Iterable[str] = "5tuple",
    *,
    biflow: bool = True,
    where: str | None = None,
    decap: bool = True,
    semantics: str | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    interval: Duration | None = None,
    max_flows: int | None = None,
    features: bool = False,
    splt: int = 0,
    threads: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
    packets: bool | str | Sequence[str] = False,
) -> FlowTable | tuple[FlowTable, PacketTable]:
    """Read captures into one table of flows.

    `src`: a path, glob, directory, `-`, open binary file, bytes, or a list of these, read as one capture in that order.
    `by`: the fields that make a flow, or a named set: `5tuple`, `ports`, `hosts`, `sockets`; `src_ip/24` is a network.
    `biflow`: both directions share a row, if the key is symmetric. `where`: only records that this filter accepts, in
    the language of tcpdump (extra `where`). `decap`: look into tunnels, to the innermost packet.
    `semantics`: timeouts, direction and bytes as another program has them: `wireshark`, `zeek`, `nfstream` or `yaf`
    (docs/semantics.md). Timeouts, which go before its own, and `interval`: seconds, or texts such as `"30s"` and
    `"500ms"`. `max_flows`: stop, with a warning, before the record that would need one flow more. `features`: columns
    of minimum, mean, sample standard deviation and maximum of packet sizes (octets as in `bytes`) and of gaps between
    packets (ns), and of packets by TCP flag: of each direction, sizes and gaps of `both_` too. `splt`: direction
    (0 forward, 1 reverse), size and gap of so many first packets, at most 255, -1 after the last, in columns of shape
    (n, splt). `threads`: use so many at most, and no more than there are processors; a few if None, one for small
    inputs. The result never depends on it.
    `packets`: return the flows and, of the same pass, a table of packets, with all default columns or those named here,
    and with `flow`, the row of each packet in the flow table (-1 in none). One thread reads then.

    Raises NotACaptureError for an input that is no capture, FilterError for a filter that libpcap refuses. Where an
    input is damaged, what was read before it counts: DamagedCaptureWarning, or with `on_damage="raise"` a CaptureError
    with the table (or both) on its `partial`. With `on_interrupt="return"` Ctrl-C ends the reading as the end of the
    input would, `interrupted` true in the metadata.
    """
    key = keys.parse(by, biflow)
    spec = key_spec(
        key,
        semantics=semantics,
        idle_timeout=idle_timeout,
        active_timeout=active_timeout,
        interval=interval,
        max_flows=max_flows,
        features=features,
        splt=splt,
    )
    most_threads = threads_for(threads)
    columns = () if packets is False else choose_with_flow(packets)
    reading = Reading(
        key=spec,
        columns=columns,
        where=where,
        decap=decap,
        threads=1 if columns else most_threads,
        on_damage=on_damage,
        on_interrupt=on_interrupt,
    )
    inputs = expand(src)

    def build() -> FlowTable | tuple[FlowTable, PacketTable]:
        flows = flow_table(FlowTable, reading, key, spec, semantics, last=True, inputs=inputs)
        return (flows, packet_table(reading)) if columns else flows

    return reading.collect(inputs, build)


def read_packets(
    src: Captures,
    *,
    columns: str | Sequence[str] | None = None,
    where: str | None = None,
    decap: bool = True,
    by: str | Iterable[str] | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> PacketTable:
    """Read captures into one table of packets, one row a record.

    `columns`: names, all of the default ones if None. `by`: make flows by this key in the same pass, and put the number
    of the packet's row in that flow table in the column `flow` (with `flow` in `columns` and no `by`: by five-tuple).
    Everything else as in read_flows().
    """
    chosen, key = choose(columns, by)
    reading = Reading(key=key, columns=chosen, where=where, decap=decap, on_damage=on_damage, on_interrupt=on_interrupt)
    return reading.collect(expand(src), lambda: packet_table(reading))


def scan_packets(
    src: Captures,
    *,
    columns: str | Sequence[str] | None = None,
    where: str | None = None,
    decap: bool = True,
    batch_size: int = 65536,
    by: str | Iterable[str] | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> PacketScan:
    """The packets of captures as an iterable of tables of `batch_size` rows, for captures larger than memory.

    Parameters as in read_packets().
    """
    chosen, key = choose(columns, by)
    return PacketScan(
        expand(src),
        chosen,
        key,
        batch_size=batch_size,
        where=where,
        decap=decap,
        on_damage=on_damage,
        on_interrupt=on_interrupt,
    )
