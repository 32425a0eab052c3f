"""What units are of one another."""

from typing import Final

NS_PER_SECOND: Final = 1_000_000_000
BITS_PER_OCTET: Final = 8
