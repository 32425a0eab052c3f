"""A capture as the sockets saw it: each message to the socket it was for, each TCP stream in order, to files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import numpy as np

from fluxcap._core import Demuxer
from fluxcap.capture.inputs import Captures, expand
from fluxcap.capture.reading import Reading
from fluxcap.capture.warn import warn
from fluxcap.formats import Listing
from fluxcap.plan.read_options import OnDamage, Order, ReadOptions
from fluxcap.plan.sizes import octets
from fluxcap.plan.tunnels import Tunnels
from fluxcap.rewrite.directory import GAPS, MESSAGES, Folder, file_name
from fluxcap.rewrite.job import Job
from fluxcap.rewrite.split import Split, Splitting
from fluxcap.values import human
from fluxcap.values.arrays import Array, arrays
from fluxcap.values.metadata import Metadata, members
from fluxcap.values.names import TCP

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration

Form = Literal["octets", "pcap"]

LISTED_AT_ONCE: Final = 1 << 14  # lines of the index

# The members of a line of the index, for a socket and for a stream, by their names there.
OF_SOCKET: Final = {
    "number": "number",
    "protocol": "protocol",
    "address": "dst_ip",
    "port": "dst_port",
    **{name: name for name in ("file", "first", "last", "packets", "messages", "octets", "refused", "cut")},
}
OF_STREAM: Final = (
    *("number", "side", "protocol", "src_ip", "src_port", "dst_ip", "dst_port", "file", "first", "last"),
    *("began", "ended", "packets", "octets", "gaps", "gap_octets", "retransmitted", "overlapping", "conflicting"),
    *("out_of_order", "out_of_window", "keep_alives", "after_end", "outside_octets", "refused", "cut"),
)


@dataclass(frozen=True)
class Delivered:
    """What demux() wrote, and what it left out.

    Attributes
    ----------
    directory : pathlib.Path
        Where.
    sockets : int
        Sockets that were sent something.
    streams : int
        Directions of TCP connections.
    messages : int
        Messages delivered.
    octets : int
        Bytes delivered.
    gap_octets : int
        Bytes in gaps: sent, and never captured.
    refused : int
        Packets refused for their checksums or lengths.
    incomplete : int
        Datagrams of which fragments were missing.
    outside_octets : int
        Bytes of TCP segments that are no part of a stream: far from where it stands, before it begins, behind its end.
    left_out : int
        Packets of sockets and streams that `max_memory` left no room for.
    left_out_octets : int
        Bytes of their payload.
    metadata : dict
        As tables have it.
    """

    directory: Path
    sockets: int
    streams: int
    messages: int
    octets: int
    gap_octets: int
    refused: int
    incomplete: int
    outside_octets: int
    left_out: int
    left_out_octets: int
    metadata: Metadata


@overload
def demux(
    src: Captures,
    directory: str | os.PathLike[str],
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    keep_bad: bool = False,
    form: Literal["octets"] = "octets",
    max_memory: int | str | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
) -> Delivered: ...
@overload
def demux(
    src: Captures,
    directory: str | os.PathLike[str],
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    form: Literal["pcap"],
    max_memory: int | str | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
) -> Split: ...
def demux(
    src: Captures,
    directory: str | os.PathLike[str],
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    keep_bad: bool = False,
    form: Form = "octets",
    max_memory: int | str | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
) -> Delivered | Split:
    """Deliver what each socket was sent: UDP messages and TCP streams, in files of a directory.

    Parameters
    ----------
    src : path, URL, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    directory : path
        An empty directory, or one to make.
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
    keep_bad : bool, default False
        Deliver packets with bad checksums too, which a kernel would drop.
    form : {"octets", "pcap"}, default "octets"
        "octets": one file a socket or stream, with an index. "pcap": the records of each flow as a capture; the
        inputs are read twice.
    max_memory : int or str, optional
        Deliver to no further sockets and streams, with a warning, once their table takes this: bytes, or a text such
        as "512M" or "2GiB". What the others were sent is complete; packets for further ones are counted. With "pcap":
        stop before the table of flows takes more.
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.

    Returns
    -------
    Delivered
        If `form` is "octets".
    Split
        If `form` is "pcap".

    Raises
    ------
    FileExistsError
        The directory is not empty.
    ValueError
        `form` is "pcap", and an input can be read only once or changes between two readings, or an order is asked for.
    NotACaptureError, FilterError, CaptureError, OSError
        As in read_flows(); with `on_damage="raise"`, what was delivered until then is in the directory and on
        `partial`.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is returned.

    Notes
    -----
    docs/demux.md describes the index. Bytes that never came are gaps, never filled in.

    Examples
    --------
    >>> import fluxcap, tempfile
    >>> delivered = fluxcap.demux("samples/sockets.pcapng", tempfile.mkdtemp())
    >>> sorted(path.name for path in delivered.directory.iterdir())[:2]
    ['index.ndjson', 'messages.ndjson']
    """
    return job(
        src,
        directory,
        form,
        keep_bad,
        max_memory,
        ReadOptions(
            where,
            decap,
            on_damage=on_damage,
            inner=inner,
            tunnels=tunnels,
            order=order,
            reorder=reorder,
            ahead=ahead,
            dedupe=dedupe,
        ),
    ).run()


def job(
    src: Captures,
    directory: str | os.PathLike[str],
    form: Form,
    keep_bad: bool,
    max_memory: int | str | None,
    options: ReadOptions,
) -> Demultiplexing | Splitting:
    """The work of demux(), to be done step by step."""
    if form == "octets":
        return Demultiplexing(src, directory, keep_bad, max_memory, options)
    if form != "pcap":
        raise ValueError(f"form is 'octets' or 'pcap', not {form!r}")
    if keep_bad:
        raise ValueError("a capture of each flow has the bad packets too: leave out keep_bad")
    if options.order is not None:
        raise ValueError("a capture of each flow has the records as they stand in the inputs: leave out order")
    return Splitting(src, directory, max_memory, options)


class _Delivering(Reading):
    """A reading that collects what its packets deliver."""

    demuxer: Demuxer

    def _scanner(self, **told: Any) -> Demuxer:
        self.demuxer = Demuxer(**told)
        return self.demuxer


class Demultiplexing(Job[Delivered]):
    """The work of demux(form="octets")."""

    def __init__(
        self,
        src: Captures,
        directory: str | os.PathLike[str],
        keep_bad: bool,
        max_memory: int | str | None,
        options: ReadOptions,
    ) -> None:
        bound = octets(max_memory, "max_memory")
        inputs = expand(src)
        reading = _Delivering(options)
        self._demuxer = reading.demuxer
        self._demuxer.keep_bad = keep_bad
        self._demuxer.max_octets = bound
        super().__init__(inputs, reading, Folder(directory))

    def finish(self, interrupted: bool = False) -> Delivered:
        """Deliver what waits for bytes that did not come, and write the index."""
        self.take()
        while self._demuxer.end():
            self.take()
        self.take()
        self.folder.close()
        left_out, left_out_octets = self._demuxer.left_out
        if left_out:
            packets = f"{human.counted(left_out, 'packet')} of further sockets and streams"
            warn(UserWarning(f"stopped at max_memory; {packets}, {human.octets(left_out_octets)}, are not delivered"))
        limit = "max_memory" if left_out else ""
        metadata = {**self.reading.metadata(), "interrupted": interrupted, "limit": limit}
        streams = arrays(self._demuxer.streams())
        seen = streams["packets"] > 0  # the streams of a connection that another replaced are both listed
        if not seen.all():
            streams = {name: column[seen] for name, column in streams.items()}
        is_stream = streams["protocol"] == TCP
        done = Delivered(
            directory=self.folder.path,
            sockets=int(np.count_nonzero(~is_stream)),
            streams=int(np.count_nonzero(is_stream)),
            messages=int(streams["messages"].sum()),
            octets=int(streams["octets"].sum()),
            gap_octets=int(streams["gap_octets"].sum()),
            refused=int(streams["refused"].sum()) + self._demuxer.refused_fragments,
            incomplete=self._demuxer.incomplete,
            outside_octets=int(streams["outside_octets"].sum() + streams["after_end"].sum()),
            left_out=left_out,
            left_out_octets=left_out_octets,
            metadata=metadata,
        )
        about = {"kind": "capture", **members(metadata), "refused": done.refused, "incomplete": done.incomplete}
        about |= {name: getattr(done, name) for name in ("outside_octets", "left_out", "left_out_octets")}
        sockets = _listings("socket", OF_SOCKET, streams, ~is_stream)
        connections = _listings("stream", {name: name for name in OF_STREAM}, streams, is_stream)
        self.folder.write_index(about, chain(sockets, connections))
        return done

    def take(self) -> None:
        """Write what has been delivered so far."""
        delivered, shares = self._demuxer.delivered()
        columns = (column.tolist() for column in arrays(shares).values())
        for number, side, protocol, start, length in zip(*columns, strict=True):
            self.folder.append(file_name(number, side, protocol), delivered[start : start + length])
        for name, rows in ((MESSAGES, self._demuxer.messages()), (GAPS, self._demuxer.gaps())):
            if len(next(iter(rows.values()))):
                self.folder.append_rows(name, arrays(rows))


def _listings(kind: str, names: dict[str, str], streams: dict[str, Array], which: Array) -> Iterator[Listing]:
    """The lines of the index on some of the streams, in pieces: names of files take more memory than the streams."""
    rows = np.flatnonzero(which)
    for at in range(0, len(rows), LISTED_AT_ONCE):
        chosen: dict[str, Any] = {name: column[rows[at : at + LISTED_AT_ONCE]] for name, column in streams.items()}
        made = zip(*(chosen[name].tolist() for name in ("number", "side", "protocol", "octets")), strict=True)
        chosen["file"] = [file_name(*ends) if written else None for *ends, written in made]
        yield Listing({"kind": [kind] * len(chosen["file"]), **{name: chosen[of] for name, of in names.items()}})
