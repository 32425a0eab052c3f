"""Which bytes of each packet, or of each flow, a table has."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

from fluxcap._core import MOST_PAYLOAD

Start = Literal["payload", "ip"]


class Payload(NamedTuple):
    """The first bytes of packets or of flows, as a column of a table.

    Attributes
    ----------
    octets : int
        So many bytes, at most 9216; shorter ones are filled up with zeros.
    start : {"payload", "ip"}
        Where the bytes of a packet begin: behind its transport header, or with the IP header of the innermost packet.
    masked : bool
        Zeros for addresses, ports, IP options and the checksums that tell of these, also in what an ICMP error quotes.

    Examples
    --------
    >>> import fluxcap
    >>> whole = fluxcap.Payload(128, start="ip", masked=True)
    >>> fluxcap.read_packets("samples/verdicts.pcap", payload=whole)["payload"].shape[1]
    128
    """

    octets: int = 0
    start: Start = "payload"
    masked: bool = False


NONE: Final = Payload()


def payload_of(asked: int | Payload) -> Payload:
    """What is asked for by a number of bytes, or by all that there is to say. ValueError for what there is not."""
    if not isinstance(asked, int | Payload) or isinstance(asked, bool):
        raise TypeError(f"payload is a number of bytes or a fluxcap.Payload, not {asked!r}")
    made = asked if isinstance(asked, Payload) else Payload(asked)
    told(made)
    return made


def told(asked: Payload) -> tuple[int, bool, bool] | None:
    """The plan as the core takes it. ValueError for a value that there is not."""
    if not 0 <= asked.octets <= MOST_PAYLOAD:
        raise ValueError(f"payload is 0 to {MOST_PAYLOAD} bytes, not {asked.octets}")
    if asked.start not in get_args(Start):
        raise ValueError(f"start is 'payload' or 'ip', not {asked.start!r}")
    return (asked.octets, asked.start == "ip", asked.masked) if asked.octets else None
