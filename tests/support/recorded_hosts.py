"""Two hosts of a recording as the sockets on them saw it: what each called, in the order of its calls."""

from typing import Any, NamedTuple

import fluxcap

TCP, UDP = 6, 17

Row = dict[str, Any]
Calls = list[tuple[str, int]]  # with bytes
Address = tuple[str, int]


class Session(NamedTuple):
    """A recording, as the two hosts of one IP version see it."""

    path: Any
    sockets: list[Row]
    client: str
    server: str

    def socket(self, protocol: int, address: str, port: int) -> Row:
        key = (protocol, address, port)
        (row,) = [row for row in self.sockets if (row["protocol"], row["address"], row["port"]) == key]
        return row

    def life(self, address: str, port: int) -> list[Row]:
        socket = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        return fluxcap.read_life(self.path, socket).to_pandas().to_dict("records")

    def clients_of(self, port: int) -> list[Address]:
        """Who spoke to a port of the server, in the order in which they came."""
        peers = [(event["peer_address"], event["peer_port"]) for event in self.life(self.server, port)]
        return [peer for peer in dict.fromkeys(peers) if peer[1]]  # bind and listen have none

    def both_lives(self, port: int, client: Address) -> tuple[Calls, Calls]:
        """What a client did, and what the server did for it."""
        ours = [one for one in self.life(self.server, port) if (one["peer_address"], one["peer_port"]) == client]
        return calls(self.life(*client)), calls(ours)


def calls(events: list[Row]) -> Calls:
    return [(event["call"], event["octets"]) for event in events]
