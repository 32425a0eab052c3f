"""Choosing rows and columns of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, overload

if TYPE_CHECKING:
    from fluxcap.values.arrays import Array


class Selectable:
    """`table["name"]` is a column, `table[["a", "b"]]` a table of two, `table[:10]` and `table[mask]` of some rows."""

    __slots__ = ()

    def __len__(self) -> int:
        raise NotImplementedError

    def _array(self, name: str) -> Array:
        raise NotImplementedError

    def _rows(self, which: Any) -> Self:
        raise NotImplementedError

    def _selected(self, names: Sequence[str]) -> Self:
        raise NotImplementedError

    @overload
    def __getitem__(self, which: str) -> Array: ...
    @overload
    def __getitem__(self, which: slice | Array) -> Self: ...
    @overload
    def __getitem__(self, which: list[str]) -> Self: ...
    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, str):
            return self._array(which)
        if isinstance(which, slice):
            return self._rows(which)
        if isinstance(which, list | tuple) and which and all(isinstance(name, str) for name in which):
            return self.select(which)
        from fluxcap.values.arrays import places

        return self._rows(places(which, len(self)))

    def __iter__(self) -> Iterator[Any]:
        return self.rows()

    def select(self, columns: str | Sequence[str]) -> Self:
        """Choose columns.

        Parameters
        ----------
        columns : str or sequence of str
            Their names, comma-separated or a sequence, those on request (docs/columns.md) too.

        Returns
        -------
        Table
            Of the same kind, with these columns in this order. Flows merge with all their columns only.

        Raises
        ------
        KeyError
            There is no such column.

        Examples
        --------
        >>> import fluxcap
        >>> fluxcap.read_flows("samples/session.pcap").select("dst_port,duration").columns
        ('dst_port', 'duration')
        """
        names = columns.split(",") if isinstance(columns, str) else columns
        return self._selected([name.strip() for name in names])

    def rows(self) -> Iterator[Any]:
        """Give the rows one by one. Columns are faster where there are many.

        Returns
        -------
        iterator of named tuples
            Fields are the columns: addresses, verdicts and other names as text, protocols and times as numbers, None
            where a value is not known.

        Examples
        --------
        >>> import fluxcap
        >>> row = next(fluxcap.read_flows("samples/verdicts.pcap").rows())
        >>> row.src_ip, row.packets
        ('192.0.2.1', 8)
        """
        from fluxcap.tables.choosing.rows import rows_of

        return rows_of(self)  # type: ignore[arg-type]  # this is a Table

    def head(self, n: int = 5) -> Self:
        """Give the first rows.

        Parameters
        ----------
        n : int, default 5
            How many.

        Returns
        -------
        Table
            Of the same kind.

        Examples
        --------
        >>> import fluxcap
        >>> len(fluxcap.read_packets("samples/verdicts.pcap").head(2))
        2
        """
        return self._rows(slice(max(n, 0)))

    def filter(self, mask: Any = None, **values: Any) -> Self:
        """Keep some of the rows.

        Parameters
        ----------
        mask : array of bool, shape (n,), optional
            True for the rows to keep.
        **values : object
            Columns and what they are to hold, or a list of what one of which they are to hold: numbers, `range(...)`,
            names of verdicts, protocols and the like, addresses and networks ("10.0.0.0/8"), MAC addresses. A row is
            kept if it meets all of them and the mask.

        Returns
        -------
        Table
            Of the same kind.

        Raises
        ------
        KeyError
            There is no such column.
        ValueError
            `mask` is not one bool a row; or no row of such a column can hold such a value.

        Examples
        --------
        >>> import fluxcap
        >>> packets = fluxcap.read_packets("samples/verdicts.pcap")
        >>> len(packets.filter(packets["verdict"] == fluxcap.VERDICTS.index("bad")))
        2
        >>> len(packets.filter(verdict=["bad", "illegal"], dst_ip="192.0.2.0/24"))
        1
        """
        from fluxcap.tables.choosing.matching import matches
        from fluxcap.values.arrays import checked

        met = matches(self, values)  # type: ignore[arg-type]  # this is a table
        return self._rows(met if mask is None else met & checked(mask, len(self)))
