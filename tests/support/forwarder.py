"""A wire between two network devices, in user space: it does to TCP and UDP what a seeded treatment says, and logs it.

`forwarder.py DEVICE_A DEVICE_B LOG TREATMENT` (this as JSON) runs until it is terminated. What is neither TCP nor UDP
passes at once, unlogged. A line of the log has a passage, and the digests of what came and of what left.
"""

import heapq
import json
import random
import select
import signal
import socket
import sys
import time
from collections import defaultdict
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import IO, NamedTuple

import middlebox
from fates import CLAMPED_TO, Box, Treatment
from middlebox import Change, End, Fragment, fragment_of, in_pieces, places, put_together, rewritten
from passages import OTHER, PLAIN, Flow, Passage

ETH_P_ALL, SOL_PACKET, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE = 3, 263, 23, 33  # of Linux
ETHERNET = 14  # bytes of a header
IP = b"\x08\x00", b"\x86\xdd"  # types
SUPER_FRAME, QUEUE = 1 << 17, 1 << 26  # bytes
MTU, DATAGRAMS_OF_A = 1500, 9000  # bytes of a packet
ALTERABLE = 1000  # bytes of payload from which on TCP carries a page of the server: one of its bytes may be another
OUTSIDE = "192.0.2.77", "2001:db8::77"  # of translated clients
FIRST_PORT = 20000  # of translated clients


class Logged(NamedTuple):
    """A passage whose records have no numbers yet: digests name their packets."""

    passage: Passage
    came: list[str]
    left: list[str]


def digest(packet: bytes) -> str:
    """By which a packet is found in a capture."""
    return sha256(packet).hexdigest()[:20]


def read_log(path: Path) -> list[Logged]:
    """All that was logged."""
    out = []
    for line in path.read_text().splitlines():
        (flow, sender, kind, fate, change, _, _, whole_at, *rest), came, left = json.loads(line)
        source, target, *written = change
        ends = (tuple(end) if end else None for end in (source, target))
        flow = Flow(*flow[:3], *map(tuple, flow[3:]))
        out.append(
            Logged(Passage(flow, sender, kind, fate, Change(*ends, *written), (), (), whole_at, *rest), came, left)
        )
    return out


class Forwarder:
    """Two sockets, packets that wait for their time, and flows by their ends at either point."""

    def __init__(self, devices: dict[str, str], treatment: Treatment, log: IO[str]) -> None:
        self.treatment, self.log = treatment, log
        self.sockets = {point: listen(device) for point, device in devices.items()}
        self.waiting: list[tuple[int, int, str, bytes]] = []
        self.order = count()
        self.flows: dict[tuple[str, int, tuple[End, End]], Flow] = {}  # by point, protocol, source and target
        self.boxes: dict[tuple[int, str], Box] = {}  # by flow and sender
        self.pieces: dict[bytes, list[tuple[Fragment, str]]] = defaultdict(list)  # with digests, by datagram

    def run(self) -> None:
        """Take what comes, and send what it is time for."""
        point_of = {own: point for point, own in self.sockets.items()}
        while True:
            wait = max(0, self.waiting[0][0] - time.monotonic_ns()) / 1e9 if self.waiting else None
            for ready in select.select(point_of, [], [], wait)[0]:
                self.take(point_of[ready], ready.recv(SUPER_FRAME))
            while self.waiting and self.waiting[0][0] <= time.monotonic_ns():
                _, _, point, frame = heapq.heappop(self.waiting)
                self.sockets[point].send(frame)

    def take(self, here: str, frame: bytes) -> None:
        """One frame from this side. A fragment waits for the others: its datagram goes on as one packet."""
        header, packet = frame[:ETHERNET], frame[ETHERNET:]
        came = [digest(packet)]
        fragment = fragment_of(packet) if header[12:] in IP else None
        if fragment:
            pieces = self.pieces[fragment.datagram]
            pieces.append((fragment, *came))
            whole = put_together([piece for piece, _ in pieces])
            if whole is None:
                return
            packet, came = whole, [one for _, one in self.pieces.pop(fragment.datagram)]
        if header[12:] in IP and places(packet):
            self.forward(here, header, packet, came)
        else:
            self.sockets[OTHER[here]].send(frame)

    def forward(self, here: str, header: bytes, packet: bytes, came: list[str]) -> None:
        """One packet of TCP or UDP: let happen what is drawn, and log it."""
        now, there, at = time.monotonic_ns(), OTHER[here], places(packet)
        assert at is not None
        over_udp, size = at.protocol == socket.IPPROTO_UDP, len(packet) - at.payload
        flow = self.flow(here, at.protocol, middlebox.ends(packet))
        is_first = (flow.number, here) not in self.boxes
        if is_first:
            rng = random.Random(f"{self.treatment.seed} {flow.number} {here}")
            self.boxes[flow.number, here] = Box(self.treatment, rng)
        box, is_large = self.boxes[flow.number, here], len(packet) > MTU
        may = {"lost", "duplicated", "held", "delayed"}
        if is_large or (is_first and flow.translated):
            may = {"delayed"}
        elif size and (over_udp or size >= ALTERABLE):
            may |= {"changed", "mended"}
        fate = box.fate(may)
        change = box.change(fate, flow, here, range(size // 2, size))
        is_cut = len(packet) > (DATAGRAMS_OF_A if over_udp and there == "A" else MTU)
        left = []
        for moment in box.departures(fate, now):
            whole = rewritten(packet, change)
            pieces = in_pieces(whole, (CLAMPED_TO - at.payload) // 8 * 8) if is_cut else [whole]
            left += pieces
            for piece in pieces:
                heapq.heappush(self.waiting, (moment, next(self.order), there, header + piece))
        kind = "large" if is_large else "first" if is_first else PLAIN
        whole_at = "".join(point for point, cut in ((here, len(came) > 1), (there, is_cut)) if not cut)
        passage = Passage(flow, here, kind, fate, change, (), (), "".join(sorted(whole_at)), None)
        self.log.write(json.dumps(Logged(passage, came, list(map(digest, left)))) + "\n")

    def flow(self, here: str, protocol: int, ends: tuple[End, End]) -> Flow:
        """The flow of a packet; its first packet is from its client."""
        key = here, protocol, ends
        if key not in self.flows:
            number = len(self.flows) // 2
            client, server = ends
            is_translated = random.Random(f"{self.treatment.seed} {number}").random() < self.treatment.translated
            afar = (OUTSIDE[":" in client[0]], FIRST_PORT + number) if is_translated else client
            flow = Flow(number, protocol, here, client, server, afar)
            for point in OTHER:
                self.flows[point, protocol, flow.ends(point, point)] = flow
        return self.flows[key]


def listen(device: str) -> socket.socket:
    """All frames that come from a device, and none that were sent to it."""
    own = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    own.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    own.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, QUEUE)
    own.bind((device, ETH_P_ALL))
    return own


if __name__ == "__main__":
    first, second, path, given = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with open(path, "w", buffering=1) as log:
        forwarder = Forwarder({"A": first, "B": second}, Treatment(**json.loads(given)), log)
        print("ready", flush=True)
        forwarder.run()
