"""Reading one packet out of a capture, and what the rest of the capture says about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from fluxcap._core import DISPOSITIONS, REASONS, STATES, Explainer
from fluxcap.capture.inputs import Captures, Input, expand
from fluxcap.capture.reading import Reading
from fluxcap.errors import printable
from fluxcap.explaining import sentences
from fluxcap.explaining.delivery import delivered
from fluxcap.explaining.explanation import Explanation
from fluxcap.explaining.parts import Checksum, Field, FlowOf, Header
from fluxcap.explaining.pieces import FRAGMENT, Pieces, pieces_of
from fluxcap.explaining.sentences import Facts
from fluxcap.explaining.sums import checksums, with_inner_ones
from fluxcap.explaining.wording import written
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import OnDamage, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.values import human, text
from fluxcap.values.arrays import Array, arrays

if TYPE_CHECKING:
    from fluxcap.explaining.rows import Explained, HeaderRow, Judgement

COLUMNS: Final = (
    *("packet", "file", "disposition", "reason", "src_port", "dst_port", "verdict", "checksum", "expected", "flow"),
    *("fragment_offset", "_fragment_length", "_more_fragments", "_datagram"),
)
ROWS: Final = 65536  # at a time


def explain(
    src: Captures,
    *,
    packet: int,
    file: int = 0,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    on_damage: OnDamage = "warn",
) -> Explanation:
    """Take one packet apart: its headers, its checksums word by word, and why each verdict is what it is.

    Parameters
    ----------
    src : path, URL, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    packet : int
        Number of the record in its file, from 1.
    file : int, default 0
        Which of several files, in their order.
    decap : bool, default True
        Look into tunnels, down to the innermost packet. False: stop at the first IP header.
    tunnels : dict of int to str, optional
        UDP ports that carry a tunnel besides the registered ones, as in {7777: "vxlan"}: docs/tunnels.md has the kinds.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.

    Returns
    -------
    Explanation
        Shown as a drawing in a notebook.

    Raises
    ------
    ValueError
        There is no such packet, or no such file; the message says how many there are.
    NotACaptureError
        An input is not a capture.
    CaptureError
        An input is damaged and `on_damage` is "raise".
    OSError
        An input cannot be opened.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage counts.

    Notes
    -----
    The whole capture is read: it tells which connection the packet belongs to and what became of its datagram.
    docs/explain.md describes the result.

    Examples
    --------
    >>> import fluxcap
    >>> explanation = fluxcap.explain("samples/loopback-checksums-offloaded.pcap", packet=1)
    >>> explanation.checksums[-1].sentence
    'The field holds the sum of the pseudo-header, 0xfe1b: left to the network card (RFC 768).'
    """
    return collect_explanation(src, packet, file, ReadOptions(None, decap, 1, on_damage, tunnels=tunnels))


def collect_explanation(src: Captures, packet: int, file: int, options: ReadOptions) -> Explanation:
    """Read captures, and take one packet of them apart."""
    if packet < 1:
        raise ValueError(f"packets are numbered from 1; there is no packet {packet}")
    reading = _Explaining(packet, file, options._replace(threads=1))
    for _ in reading.read(expand(src)):
        reading.take()
    reading.take()
    explained = reading.explainer.explained()
    if explained is None:
        raise ValueError(reading.not_there())
    return _explanation(cast("Explained", explained), reading)


class _Explaining(Reading):
    """A reading that keeps one record, the rows of all fragments, and all connections."""

    explainer: Explainer

    def __init__(self, packet: int, file: int, options: ReadOptions) -> None:
        self._counts: list[int] = []  # records of each input
        self._packet, self._file = packet, file
        self.row: dict[str, int] = {}  # of the packet in a packet table
        self._fragments: list[dict[str, Array]] = []
        super().__init__(options, key=FlowPlan(connections=True).spec(), columns=COLUMNS, row_limit=ROWS)
        self.explainer.look_for(packet, file)

    def _scanner(self, **told: Any) -> Explainer:
        self.explainer = Explainer(**told)
        return self.explainer

    def note(self, item: Input) -> None:
        """Count the records of an input."""
        self._counts.append(self.scanner.totals()["packets"] - self._begins[-1])

    def take(self) -> None:
        """Keep the rows that are about the packet, or may be."""
        rows = arrays(self.scanner.take())
        for place in np.flatnonzero((rows["packet"] == self._packet) & (rows["file"] == self._file)):
            self.row = {name: column[place].item() for name, column in rows.items()}
        fragments = rows["_datagram"] != 0
        if fragments.any():
            self._fragments.append({name: column[fragments] for name, column in rows.items()})

    def pieces(self, before: Iterable[tuple[int, int, int, int]]) -> Pieces | None:
        """The datagram of the packet; None if the packet is no fragment."""
        if not self.row["_datagram"]:
            return None
        columns = {name: np.concatenate([rows[name] for rows in self._fragments]) for name in COLUMNS}
        mine = columns["_datagram"] == self.row["_datagram"]
        rows = {name: column[mine] for name, column in columns.items()}
        return pieces_of(rows, (self._file, self._packet), before)

    def not_there(self) -> str:
        """Why there is no such packet."""
        if self._file >= len(self.inputs):
            return (
                f"there are {human.counted(len(self.inputs), 'file')}, numbered from 0; there is no file {self._file}"
            )
        name, count = printable(self.inputs[self._file]), human.counted(self._counts[self._file], "packet")
        damage = " before the damage" if any(e.path == self.inputs[self._file] for e in self.damage) else ""
        return f"{name} has {count}{damage}: there is no packet {self._packet:,}; Name one of them with -p."

    def flow(self) -> FlowOf | None:
        """The connection or flow of the packet."""
        number = self.row["flow"]
        if number < 0:
            return None
        rows = arrays(self.scanner.flows())
        one = {name: column[number] for name, column in rows.items()}
        src, dst = text.addresses(np.stack([one["src_ip"], one["dst_ip"]]))
        return FlowOf(
            number=number,
            of=len(rows["packets"]),
            protocol=int(one["protocol"]),
            src_ip=src,
            src_port=int(one["src_port"]),
            dst_ip=dst,
            dst_port=int(one["dst_port"]),
            packets=int(one["packets"]),
            reverse_packets=int(one["reverse_packets"]),
            state=STATES[one["state"]],
            history=one["history"].decode(),
        )


def _explanation(explained: Explained, reading: _Explaining) -> Explanation:
    row = reading.row
    pieces = reading.pieces(explained["pieces"])
    headers = tuple(map(_header, explained["headers"]))
    innermost: Judgement = explained["judged"][-1].copy()
    if innermost["verdict"] == FRAGMENT:
        # A row has what other fragments tell: the ports and, of the record that completes the datagram, the verdict.
        innermost["src_port"], innermost["dst_port"] = row["src_port"], row["dst_port"]
        innermost["verdict"], innermost["reason"] = row["verdict"], row["reason"]
        whole = explained["datagram"]
        # The whole datagram has the field also where the first fragment ends before it, and no row has it.
        told = row if whole is None else whole["judged"]
        innermost["checksum"], innermost["expected"] = told["checksum"], told["expected"]
    levels = [*explained["judged"][:-1], innermost]
    found: list[Checksum] = []
    for judged in levels:
        at_depth = [header for header in headers if header.depth == judged["depth"]]
        of_record = explained["captured_length"], explained["wire_length"], explained["packet"]
        datagram = explained["datagram"] if judged is innermost else None
        datagram_headers = [_header(one) for one in datagram["headers"] if not one["depth"]] if datagram else []
        facts = Facts(judged, at_depth, *of_record, pieces, datagram, datagram_headers)
        found += checksums(facts)
    disposition, reason = DISPOSITIONS[row["disposition"]], REASONS[row["reason"]]
    ends = text.addresses(np.frombuffer(innermost["src_ip"] + innermost["dst_ip"], np.uint8).reshape(2, 16))
    return Explanation(
        path=reading.inputs[explained["file"]],
        packet=explained["packet"],
        time=explained["time"],
        offset=explained["offset"],
        captured_length=explained["captured_length"],
        wire_length=explained["wire_length"],
        link_type=explained["link_type"],
        disposition=disposition,
        reason=reason,
        headers=headers,
        checksums=tuple(with_inner_ones(found)),
        flow=reading.flow(),
        delivery=delivered(innermost, (ends[0], ends[1]), explained["before"], explained["after"], pieces),
        notes=tuple(sentences.how_far(disposition, reason, innermost)),
        metadata=reading.metadata(),
    )


def _header(row: HeaderRow) -> Header:
    fields = [
        Field(name, bit, bits, value, written(row["kind"], name, form, bits, value))
        for name, bit, bits, form, value in row["fields"]
    ]
    about = row["kind"], row["title"], row["layer"], row["depth"], row["offset"], row["length"], row["captured"]
    return Header(*about, hex=row["hex"], fields=tuple(fields))
