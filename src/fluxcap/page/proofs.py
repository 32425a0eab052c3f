"""Which packets prove each picture: made of its numbers and of the first packets of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from fluxcap._core import VERDICTS
from fluxcap.page.evidence import Evidence
from fluxcap.plot.numbers import FLOW, NOT_IP, Numbers
from fluxcap.reports.places import FEW, Place
from fluxcap.values import names

if TYPE_CHECKING:
    from fluxcap.tables.connections import ConnectionTable
    from fluxcap.values.arrays import Array


class Proof(NamedTuple):
    """Packets, and what they prove."""

    of: str
    places: tuple[Place, ...]


Proofs = tuple[Proof, ...]
TOLD: Final = ("bad", "illegal", "bad_length", "truncated", "fragment", "partial", "absent", "good")  # worst first
CODES: Final = {names.protocol(code) if code else NOT_IP: code for code in range(256)}


def of_all(numbers: dict[str, Numbers], connections: ConnectionTable, evidence: Evidence) -> dict[str, Proofs]:
    """The proofs of each picture, those without a packet left out."""
    c, first = connections, evidence.flows.first
    found = {
        name: [Proof("first packet of each row", first(columns[FLOW][:FEW]))]
        for name, columns in numbers.items()
        if FLOW in columns
    }
    found |= {
        "throughput": [
            Proof(name, evidence.protocols.of(CODES[name])) for name in numbers["throughput"] if name in CODES
        ],
        "verdicts": list(_verdicts(evidence)),
        "handshakes": [Proof("slowest answers of servers", first(_most(c["synack_rtt"])))],
        "responses": [Proof("slowest responses", first(_most(c["response_time"])))],
        "losses": list(_again(numbers["losses"], evidence)) + found["losses"],
        "flow_sizes": [Proof("largest connections", first(_most(c["bytes"] + c["reverse_bytes"])))],
        "lengths": list(_lengths(numbers["lengths"], evidence)),
    }
    return {name: tuple(proof for proof in some if proof.places) for name, some in found.items()}


def _verdicts(evidence: Evidence) -> Iterator[Proof]:
    yield Proof("bad IPv4 header", evidence.headers.of(VERDICTS.index("bad")))
    for name in TOLD:
        yield Proof(name.replace("_", " "), evidence.of_verdict(name))


def _again(losses: Numbers, evidence: Evidence) -> Iterator[Proof]:
    """The packets that the connections with most losses sent again."""
    for flow, client, server in zip(*(losses[name][:FEW] for name in (FLOW, "client", "server")), strict=True):
        yield Proof(f"sent again, {client} and {server}", evidence.again.of(flow))


def _lengths(lengths: Numbers, evidence: Evidence) -> Iterator[Proof]:
    for least, most in zip(lengths["from"], lengths["to"], strict=True):
        yield Proof(f"{least} to {most} bytes", evidence.bits.of(least.bit_length()))


def _most(values: Array) -> list[int]:
    """The rows of the largest values, of those above zero."""
    rows = np.argsort(-values.astype(np.int64), kind="stable")[:FEW]
    largest: list[int] = rows[values[rows] > 0].tolist()
    return largest
