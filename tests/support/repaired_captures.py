"""A capture repaired, and held against what every repaired capture has to be."""

from pathlib import Path

import fluxcap


def repaired(capture: bytes | Path, out: Path) -> tuple[bytes, fluxcap.Repair]:
    """The repaired capture, and what was counted; once more changes nothing."""
    done = fluxcap.repair(capture, out)
    octets = out.read_bytes()
    again = fluxcap.repair(octets, out)
    assert (again.repaired, again.checksums, again.ip_checksums) == (0, 0, 0)
    assert out.read_bytes() == octets
    return octets, done


def partial(capture: bytes) -> int:
    """How many checksums in it are `partial`, inside tunnels and outside."""
    reports = [fluxcap.read_checksums(capture, decap=decap) for decap in (True, False)]
    return sum(counts["partial"] for one in reports for counts in (*one.verdicts.values(), one.ip_verdicts))
