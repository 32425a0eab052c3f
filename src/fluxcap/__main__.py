"""`python -m fluxcap`."""

from fluxcap.cli.main import entry

entry()
