"""The program: `python -m fluxcap`, and the console script."""

import os
from typing import NoReturn


def entry() -> NoReturn:
    """Run the command line. Ctrl-C while its modules are imported ends the process as quietly as it does later."""
    try:
        from fluxcap.cli.main import entry as run

        run()
    except KeyboardInterrupt:
        os._exit(130)  # INTERRUPTED of cli.exits, which may not be imported yet; no output was begun


if __name__ == "__main__":
    entry()
