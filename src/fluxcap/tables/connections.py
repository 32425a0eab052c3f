"""Connections, and what became of each, told as Zeek does from the handshake, the sequence numbers and the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcap.capture.inputs import Captures
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import OnDamage, OnInterrupt, Order, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.tables.flows import FlowTable, collect_flows
from fluxcap.values import human

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration
    from fluxcap.plan.semantics import SemanticsName


class ConnectionTable(FlowTable):
    """One row a connection: a flow table by five-tuple with more columns, which docs/connections.md describes.

    Forward is the direction of the socket that began the connection; `direction_basis` says how that is known.
    Codes are indices into `fluxcap.STATES` and `fluxcap.DIRECTION_BASES`; `history` has at most 28 letters, in
    numpy as bytes. Tables of connections do not merge.

    See Also
    --------
    read_connections : makes these tables.

    Examples
    --------
    >>> import fluxcap
    >>> connections = fluxcap.read_connections("samples/connection-reset.pcap")
    >>> connections["history"].dtype.itemsize, fluxcap.DIRECTION_BASES[connections["direction_basis"][0]]
    (28, 'syn')
    """

    __slots__ = ()

    def _title(self) -> str:
        return human.counted(len(self), "connection")


def read_connections(
    src: Captures,
    *,
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
    ignore_checksums: bool = False,
    server_names: bool = False,
    max_memory: int | str | None = None,
    threads: int | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
    on_interrupt: OnInterrupt = "raise",
) -> ConnectionTable:
    """Read captures into one table of connections, as the conn.log of Zeek has them.

    A connection is a TCP connection or, for UDP, ICMP and other protocols, what Zeek takes for one. A SYN with
    another initial sequence number than that of the connection begins a new row; so does a record after a
    timeout.

    Parameters
    ----------
    src : path, URL, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
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
    ignore_checksums : bool, default False
        Let records with a bad checksum take part in their connection, as `zeek -C` does.
    server_names : bool, default False
        Add the name of the server, as far as the packets tell it: columns `server_name` and `server_name_basis`
        (docs/server-names.md). Only one thread reads then.
    max_memory : int or str, optional
        Stop, with a warning, before the table of flows takes more than this: bytes, or a text such as "512M" or
        "2GiB". What was read before is exact.
    threads : int, optional
        Threads to read with, at most one a processor. None: all, few for small inputs. The result is the same.
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.
    on_interrupt : {"raise", "return"}, default "raise"
        Ctrl-C: "return" ends the reading as the end of the input does, with `metadata["interrupted"]` True.

    Returns
    -------
    ConnectionTable
        One row a connection: the columns of read_flows() by five-tuple, then `state`, `history` and the others
        that docs/connections.md describes. Round-trip times are nanoseconds, -1 where unknown (null in Arrow).

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

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is returned.

    Notes
    -----
    Without `ignore_checksums` a record with a bad checksum is counted, leaves a "C" in the history, and has no
    other effect.

    Examples
    --------
    >>> import fluxcap
    >>> connections = fluxcap.read_connections("samples/connection-reset.pcap")
    >>> fluxcap.STATES[connections["state"][0]]  # established, then reset by who began it
    'RSTO'
    """
    plan = FlowPlan(
        semantics=semantics,
        idle_timeout=idle_timeout,
        active_timeout=active_timeout,
        connections=True,
        ignore_checksums=ignore_checksums,
        server_names=server_names,
        max_memory=max_memory,
    )
    return collect_flows(
        src,
        plan,
        ReadOptions(where, decap, threads, on_damage, on_interrupt, inner, tunnels, order, reorder, dedupe, ahead),
        ConnectionTable,
    )
