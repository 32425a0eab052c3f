"""Memory that ends where a page begins that must not be touched: a byte read past the last one ends the process.

Bytearrays and windows, which have room behind them, would not show such a byte. AddressSanitizer would not show one
that a masked vector load touches.
"""

import ctypes
import mmap


def memory_before_it(octets: int) -> memoryview:
    """So many writable bytes, at least, right before a forbidden page."""
    room = -(-octets // mmap.PAGESIZE) * mmap.PAGESIZE
    pages = mmap.mmap(-1, room + mmap.PAGESIZE)
    forbidden = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(pages)) + room)
    assert ctypes.CDLL(None).mprotect(forbidden, mmap.PAGESIZE, 0) == 0
    return memoryview(pages)[:room]
