"""An index beside a capture: where its records are, so that a reading can begin in the middle."""

from typing import Final

# What lies between a checkpoint and a record is walked over each time: 16 MB take a hundredth of a second from the
# memory of the system, and a fifth from a store that sends 100 MB/s. Of 100 GB that makes 6,000 rows.
EVERY: Final = "16MB"
SUFFIX: Final = ".fluxcap-index.parquet"  # behind the name of the capture
