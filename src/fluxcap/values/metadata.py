"""The metadata of a result: as JSON beside its rows and inside files, in words at a terminal and on a card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from fluxcap._core import DISPOSITIONS
from fluxcap.values import human, text
from fluxcap.values.libraries import VERSION

if TYPE_CHECKING:
    from fluxcap._core import Totals

Metadata = dict[str, Any]  # what was read and how

SCHEMA: Final = 1  # changes when a name is removed or changes its meaning; new names do not change it
JOINT: Final = " · "  # between things said in one line
NAMED: Final = 3  # inputs and skipped files that are named


def header() -> dict[str, Any]:
    """The first members of every JSON object."""
    return {"schema": SCHEMA, "version": VERSION}


def members(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a table as members of a JSON object."""
    plain = dict(metadata)
    if "damage" in plain:
        plain["damage"] = [damage._asdict() for damage in plain["damage"]]
    if "joined" in plain:
        plain["joined"] = [joined._asdict() for joined in plain["joined"]]
    if plain.get("late") is not None:
        plain["late"] = plain["late"]._asdict()
    if "ledger" in plain:
        plain["ledger"] = {name: {"records": n, "octets": octets} for name, (n, octets) in plain["ledger"].items()}
    for name in ("first", "last"):
        if name in plain:
            plain[name] = None if plain[name] is None else text.time(plain[name])
    return plain


def ledger(totals: Totals) -> dict[str, tuple[int, int]]:
    """Records and wire bytes by disposition. RuntimeError if they do not add up, which is a bug."""
    counted = dict(zip(DISPOSITIONS, totals["dispositions"], strict=True))
    sums = tuple(map(sum, zip(*counted.values(), strict=True)))
    if sums != (totals["packets"], totals["wire_octets"]):
        raise RuntimeError(
            f"the ledger does not add up: dispositions hold {sums} records and bytes, the inputs"
            f" {totals['packets'], totals['wire_octets']}; this is a bug in fluxcap, please report it"
        )
    return counted


def facts(metadata: Mapping[str, Any]) -> dict[str, str]:
    """What was read and how, in words by topic; "" for a topic with nothing to say."""
    if not metadata:
        return {}
    named = list(metadata["inputs"][:NAMED])
    more = len(metadata["inputs"]) - len(named)
    return {
        "inputs": ", ".join(named) + (f" and {more:,} more" if more else ""),
        "records": f"{human.count(metadata['packets'])} ({human.octets(metadata['wire_octets'])})",
        "not counted": uncounted(metadata),
        "time": "" if metadata["first"] is None else human.span(metadata["first"], metadata["last"]),
        "key": metadata.get("by", ""),
        "semantics": semantics(metadata) if "by" in metadata else "",
        "cut in time": timing(metadata) if "by" in metadata else "",
        "skipped": ", ".join(metadata["skipped"][:NAMED]) + (", ..." if len(metadata["skipped"]) > NAMED else ""),
        "damage": "; ".join(f"{one.path}, packet {one.packet}: {one.reason}" for one in metadata["damage"]),
        "stopped": stopped(metadata),
        "hint": "; ".join(metadata.get("hints", ())),
    }


def notes(metadata: Mapping[str, Any]) -> list[str]:
    """What even a short description has to mention."""
    skipped, untimed = len(metadata["skipped"]), metadata["without_time"]
    damaged = damaged_inputs(metadata)
    said = (
        f"{metadata['semantics']} semantics" if metadata.get("semantics") else "",
        timing(metadata) if "by" in metadata else "",
        uncounted(metadata),
        f"{human.count(untimed)} without a time" if untimed else "",
        human.counted(skipped, "file") + " skipped" if skipped else "",
        human.counted(damaged, "input") + " damaged" if damaged else "",
        stopped(metadata),
    )
    return [note for note in said if note]


def damaged_inputs(metadata: Mapping[str, Any]) -> int:
    """How many inputs are damaged; one that is read on behind its damage may be so in several places."""
    return len({damage.path for damage in metadata["damage"]})


def read_past(metadata: Mapping[str, Any]) -> frozenset[tuple[str, int]]:
    """The damage behind which reading went on: path and offset of each."""
    return frozenset((path, offset) for path, offset, _ in metadata["strays"])


def uncounted(metadata: Mapping[str, Any]) -> str:
    """The records that are not plainly counted in a flow, and why: '3 non_ip, 1 malformed'."""
    ledger = {name: records for name, (records, _) in metadata["ledger"].items() if name != "counted"}
    return ", ".join(f"{human.count(records)} {name}" for name, records in ledger.items() if records)


def timing(metadata: Mapping[str, Any]) -> str:
    """'idle timeout 15.0 s', or 'no timeouts'."""
    names = ["idle_timeout", "active_timeout", "interval"]
    if metadata["tcp_idle_timeout"] != metadata["idle_timeout"]:
        names.insert(1, "tcp_idle_timeout")
    set_to = {name.replace("_", " ").replace("tcp", "TCP"): metadata[name] for name in names}
    return ", ".join(f"{name} {human.duration(ns)}" for name, ns in set_to.items() if ns) or "no timeouts"


def semantics(metadata: Mapping[str, Any]) -> str:
    """'zeek: bytes of ip, direction by server ports'; "" where none were asked for."""
    name = metadata["semantics"]
    return f"{name}: bytes of {metadata['bytes']}, direction by {metadata['direction']}" if name else ""


def stopped(metadata: Mapping[str, Any]) -> str:
    """Why the reading, or the rows made of it, ended before the inputs; "" if they did not."""
    if metadata["interrupted"]:
        return "interrupted"
    return f"stopped at {metadata['limit']}" if metadata.get("limit") else ""
