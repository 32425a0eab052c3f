"""An index beside a capture: where its records are, so that a reading can begin in the middle."""

from typing import Final

SUFFIX: Final = ".fluxcap-index.parquet"  # behind the name of the capture
