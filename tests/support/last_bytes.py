"""Read captures that lie before a page that must not be touched: cases come by standard input, from test_lane.py.

A byte read past the last one ends this process: bytearrays and windows, which have room behind them, would not show it.
"""

from __future__ import annotations

import ctypes
import mmap
import pickle
import sys

from capture_files import Record, pcap
from core_driver import ALL_COLUMNS, FIVE_TUPLE, key
from fluxcap._core import Scanner

WAYS = {
    "flows": {"key": key(*FIVE_TUPLE)},
    "connections": {"key": key(*FIVE_TUPLE, server_ports=({80}, {53}), connections=True, features=True, splt=3)},
    "bytes": {"key": key(*FIVE_TUPLE, server_names=True, payload=(9, True, True))},
    "columns": {"columns": ALL_COLUMNS},
}
ROOM = 16 * mmap.PAGESIZE

if __name__ == "__main__":
    memory = mmap.mmap(-1, ROOM + mmap.PAGESIZE)
    forbidden = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(memory)) + ROOM)
    assert ctypes.CDLL(None).mprotect(forbidden, mmap.PAGESIZE, 0) == 0
    n = 0
    for link_type, frame in pickle.load(sys.stdin.buffer):
        for last in range(len(frame) + 1):
            capture = pcap([Record(frame[:last], wire_length=len(frame))], link_type)
            memory[ROOM - len(capture) : ROOM] = capture
            for name, options in WAYS.items():
                print(f"{name} of {last} bytes of link type {link_type}: {frame.hex()}", file=sys.stderr)
                scanner = Scanner(**options)
                scanner.begin()
                scanner.lend(memoryview(memory)[ROOM - len(capture) : ROOM], 0)
                scanner.run(1)
                n += 1
    print(n)
