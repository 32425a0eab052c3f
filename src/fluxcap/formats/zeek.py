"""conn.log of Zeek: its header, then fields with a tab between them, as zeek-cut reads them."""

from itertools import chain
from typing import BinaryIO, Final

from fluxcap.formats import PLAIN, Rows, Screen
from fluxcap.formats._conn_log import batches, fields_of

HELP: Final = "conn.log as Zeek writes it, of connections and flows"
SUFFIXES: Final = (".log",)
SEMANTICS: Final = "zeek"

SEPARATOR, UNSET = "\t", "-"
HEAD: Final = r"""#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	conn
"""


def write(out: BinaryIO, rows: Rows, screen: Screen = PLAIN, /) -> None:
    """Write the rows as they come. Without #open and #close, so that the same rows are the same bytes at any time."""
    fields = fields_of(rows)
    made = batches(rows.tables, fields)
    first = next(made, None)  # rows that do not fit are refused before the header
    out.write(HEAD.encode())
    for name, words in (("fields", fields.keys()), ("types", fields.values())):
        out.write(f"{SEPARATOR.join((f'#{name}', *words))}\n".encode())
    for cells in chain([] if first is None else [first], made):
        lines = zip(*([UNSET if cell is None else cell for cell in column] for column in cells), strict=True)
        out.write("".join(f"{SEPARATOR.join(line)}\n" for line in lines).encode())
