"""numpy's archive of arrays: each column as the table holds it, codes and bytes included, and `metadata` in JSON."""

import json
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, Final

from fluxcap.formats import PLAIN, Rows, Screen, at_least_one, columns_of
from fluxcap.values.metadata import header, members

HELP: Final = "numpy arrays, as the table holds them"
SUFFIXES: Final = (".npz",)
BINARY: Final = True
METADATA: Final = "metadata"


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the columns once all rows are there; until then they are in temporary files, not in memory."""
    import numpy as np

    with ExitStack() as files:
        spools: dict[str, IO[bytes]] = {}
        shapes: dict[str, Any] = {}  # an empty array of the column's type
        n = 0
        for table in at_least_one(rows):
            n += len(table)
            for name, values in columns_of(table, rows).items():
                array = np.ascontiguousarray(values)
                if name not in spools:
                    spools[name], shapes[name] = files.enter_context(TemporaryFile()), array[:0]
                spools[name].write(array.data)
        about = json.dumps({**header(), **members(rows.metadata())})
        _archive(out, {rows.shown(name): (shapes[name], spools[name]) for name in spools}, n, about)


def _archive(out: BinaryIO, columns: dict[str, tuple[Any, IO[bytes]]], n: int, about: str) -> None:
    import shutil
    import zipfile

    import numpy as np

    with zipfile.ZipFile(out, "w") as archive:
        for name, (like, spool) in columns.items():
            described = {**np.lib.format.header_data_from_array_1_0(like), "shape": (n, *like.shape[1:])}
            spool.seek(0)
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, described)
                shutil.copyfileobj(spool, member)
        with archive.open(f"{METADATA}.npy", "w") as member:
            np.lib.format.write_array(member, np.array(about), allow_pickle=False)
