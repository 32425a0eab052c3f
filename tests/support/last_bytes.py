"""Read captures that lie before a page that must not be touched: cases come by standard input, from test_lane.py."""

from __future__ import annotations

import pickle
import sys

from capture_files import Record, pcap
from core_driver import ALL_COLUMNS, FIVE_TUPLE, key
from fluxcap._core import Scanner
from forbidden_page import memory_before_it

WAYS = {
    "flows": {"key": key(*FIVE_TUPLE)},
    "connections": {"key": key(*FIVE_TUPLE, server_ports=({80}, {53}), connections=True, features=True, splt=3)},
    "bytes": {"key": key(*FIVE_TUPLE, server_names=True, payload=(9, True, True))},
    "columns": {"columns": ALL_COLUMNS},
}
ROOM = 1 << 16

if __name__ == "__main__":
    memory = memory_before_it(ROOM)
    n = 0
    for link_type, frame in pickle.load(sys.stdin.buffer):
        for last in range(len(frame) + 1):
            capture = pcap([Record(frame[:last], wire_length=len(frame))], link_type)
            lent = memory[-len(capture) :]
            lent[:] = capture
            for name, options in WAYS.items():
                print(f"{name} of {last} bytes of link type {link_type}: {frame.hex()}", file=sys.stderr)
                scanner = Scanner(**options)
                scanner.begin()
                scanner.lend(lent, 0)
                scanner.run(1)
                n += 1
    print(n)
