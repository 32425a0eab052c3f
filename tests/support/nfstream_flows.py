"""The flows that NFStream makes of a capture, one JSON object a line: in a process of its own, because it forks.

usage: nflows.py CAPTURE FIRST_PACKETS default|never

The last says when flows are cut.
"""

import json
import sys

from nfstream import NFStreamer

TIMEOUTS = {"default": {}, "never": {"idle_timeout": 10**6, "active_timeout": 10**6}}  # s


def main() -> None:
    """Whole frames are counted, tunnels left closed, nothing is dissected."""
    streamer = NFStreamer(
        source=sys.argv[1],
        splt_analysis=int(sys.argv[2]),
        statistical_analysis=True,
        decode_tunnels=False,
        accounting_mode=0,
        n_dissections=0,
        n_meters=1,
        **TIMEOUTS[sys.argv[3]],
    )
    for flow in streamer:
        names = [name for name in flow.__slots__ if not name.startswith("_")]
        plain = {name: getattr(flow, name, None) for name in names}
        print(json.dumps({name: value for name, value in plain.items() if isinstance(value, int | float | str | list)}))


if __name__ == "__main__":
    main()
