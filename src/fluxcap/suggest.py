"""The error for a name that is not among those known."""

from __future__ import annotations

from collections.abc import Iterable


def unknown(what: str, given: str, known: Iterable[str]) -> ValueError:
    """`unknown <what> '<given>'`, with the nearest of the known names, if one is near, and all of them."""
    import difflib

    names = list(known)
    near = difflib.get_close_matches(given, names, n=1)
    meant = f"did you mean '{near[0]}'? " if near else ""
    return ValueError(f"unknown {what} {given!r}; {meant}known are: {', '.join(names)}")
