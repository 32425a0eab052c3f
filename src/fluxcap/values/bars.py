"""Numbers as lengths and heights: bars in a column, and a line of them."""

from collections.abc import Sequence
from typing import Final

EIGHTHS: Final = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
HEIGHTS: Final = "▁▂▃▄▅▆▇█"
WIDTH: Final = 12  # of the longest bar


def bars(values: Sequence[float], width: int = WIDTH, most: float = 0) -> list[str]:
    """A bar for each value, the longest for the greatest, or for `most` if that is greater; a value above zero has an
    eighth of a character at least."""
    most = max((most, *values))
    lengths = [max(round(8 * width * value / most), 1) if value > 0 else 0 for value in values]
    return ["█" * (length // 8) + EIGHTHS[length % 8] for length in lengths]


def line(values: Sequence[float], width: int) -> str:
    """The values as heights in at most so many characters: neighbours share one, which shows the greatest of them. The
    lowest height is for zero alone."""
    n = len(values)
    columns = min(n, width)
    greatest = [max(values[at * n // columns : (at + 1) * n // columns]) for at in range(columns)]
    most = max(greatest, default=0)
    steps = len(HEIGHTS) - 1
    return "".join(HEIGHTS[min(1 + int(steps * value / most), steps) if value > 0 else 0] for value in greatest)
