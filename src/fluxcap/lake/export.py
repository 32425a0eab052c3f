"""Exporting captures to a lake: read, sorted by time, written beside what is there, and then the manifest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from errno import EBUSY
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from fluxcap.capture.inputs import Captures, Input, expand
from fluxcap.lake import files, manifest
from fluxcap.lake.layout import Layout, Partition, check_table, laid_out, place_in_time
from fluxcap.lake.manifest import Export, File, Manifest
from fluxcap.lake.place import MANIFEST, Place
from fluxcap.lake.rows import Rows
from fluxcap.lake.sorting import Sorted, times
from fluxcap.plan import keys, semantics
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import OnDamage, Order, ReadOptions
from fluxcap.plan.sizes import octets
from fluxcap.plan.tunnels import Tunnels
from fluxcap.stores.urls import is_url
from fluxcap.values.metadata import Metadata

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    from fluxcap.plan.durations import Duration
    from fluxcap.plan.keys import KeySet
    from fluxcap.plan.semantics import SemanticsName

Table = Literal["flows", "packets", "connections"]
TABLE: Final = "flows"
PARTITION: Final[Partition] = "day,hour"
MAX_FILE: Final = "256MB"


class Exported(NamedTuple):
    """What an export did to a lake."""

    rows: int  # of the inputs
    replaced: int  # rows that the same inputs had before
    files: int  # files written, with rows of other exports too
    octets: int  # bytes of these
    metadata: Metadata  # of the reading, as tables have it


class Wanted(NamedTuple):
    """Which rows are exported, and into which folders and files."""

    table: str = TABLE
    plan: FlowPlan = FlowPlan()
    partition: Partition = PARTITION
    by_time: str | None = None  # None: the first of the table's times
    max_file: int | str = MAX_FILE


def export(
    src: Captures,
    path: str | os.PathLike[str],
    *,
    table: Table = "flows",
    partition: Partition = PARTITION,
    by_time: str | None = None,
    max_file: int | str = MAX_FILE,
    by: KeySet | str | Iterable[str] = "5tuple",
    biflow: bool = True,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    semantics: SemanticsName | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    threads: int | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
) -> Exported:
    """Export the rows of captures to a lake: Parquet files in folders of days and hours. Extra `arrow`.

    Parameters
    ----------
    src : path, URL, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    path : path or URL
        The lake: a directory, or the beginning of the names of objects. It is made if it is not there.
    table : {"flows", "packets", "connections"}, default "flows"
        What a row is.
    partition : {"day,hour", "day"}, default "day,hour"
        Which folders there are, in UTC.
    by_time : str, optional
        The column of times by which rows are sorted and put into folders: "first" or "last"; of packets "time".
        None: the first of these.
    max_file : int or str, default "256MB"
        The largest size of a file, at least 1 MiB. In each folder at most one file has less than half of it.
    by : str or iterable of str, default "5tuple"
        Fields that make a flow, as in read_flows().
    biflow : bool, default True
        Put both directions of a flow into one row, if the key is symmetric in source and destination.
    where : str, optional
        Count only records that match this filter, in tcpdump's language (extra `where`).
    inner : bool, default False
        Put the filter to the innermost IP packet. False: to the outermost headers, as tcpdump does.
    decap : bool, default True
        Look into tunnels, down to the innermost packet. False: stop at the first IP header.
    tunnels : dict of int to str, optional
        UDP ports that carry a tunnel besides the registered ones, as in {7777: "vxlan"}: docs/tunnels.md has the kinds.
    order : {"time"}, optional
        "time": merge the inputs in the order of time, and sort the records of each within `reorder`. None: as they
        stand.
    reorder : float or str, optional
        How much later than its time a record may stand in its input: seconds, or a text such as "100ms". None: "1s".
    dedupe : bool, float or str, default False
        Leave out copies of packets, which mirrors and hops show again within 10 ms, or within this: at most "200ms",
        seconds or a text (docs/duplicates.md).
    semantics : {"wireshark", "zeek", "nfstream", "yaf", "cicflowmeter"}, optional
        Take timeouts, direction and bytes from this program (docs/semantics.md).
    idle_timeout : float or str, optional
        End a flow after this long without a packet: seconds, or a text such as "30s" or "500ms".
    active_timeout : float or str, optional
        Split a flow that lasts longer than this. Same units.
    threads : int, optional
        Threads to read with, at most one a processor. None: all, few for small inputs. The result is the same.
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    on_damage : {"warn", "raise"}, default "warn"
        A damaged input: "warn" exports what was read before the damage; "raise" raises the CaptureError, and the lake
        stays as it was.

    Returns
    -------
    Exported
        How many rows, files and bytes were written, and how many rows they replace.

    Raises
    ------
    ValueError
        An option is not one of those described; the lake has other rows (another table, key or order); an input has no
        name; or it was exported before together with others that are not among these.
    CaptureError
        An input is damaged and `on_damage` is "raise".
    OSError
        An input cannot be opened, the lake cannot be written, or another export writes to it.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; what was read before the damage is exported.

    See Also
    --------
    scan_lake : reads a lake.

    Notes
    -----
    Rows of the same inputs are replaced: all of them at once, when the manifest is written, or none. docs/lake.md has
    the folders, the files and the manifest.

    Examples
    --------
    >>> import fluxcap, tempfile
    >>> done = fluxcap.export("samples/office.pcap", tempfile.mkdtemp(), partition="day")
    >>> done.rows == len(fluxcap.read_flows("samples/office.pcap")), done.replaced
    (True, 0)
    """
    plan = FlowPlan(
        keys.parse(by, biflow), semantics=semantics, idle_timeout=idle_timeout, active_timeout=active_timeout
    )
    options = ReadOptions(where, decap, threads, on_damage, "raise", inner, tunnels, order, reorder, dedupe, ahead)
    return Exporting(expand(src), path, Wanted(table, plan, partition, by_time, max_file), options).run()


class Exporting:
    """One export, checked before anything is read or written."""

    def __init__(self, inputs: list[Input], path: str | os.PathLike[str], wanted: Wanted, options: ReadOptions) -> None:
        """ValueError or TypeError for what cannot be exported."""
        check_table(wanted.table)
        if is_url(os.fspath(path)):
            from fluxcap.stores.objects import check_writable

            check_writable(os.fspath(path))
        self._most = octets(wanted.max_file, "max_file")
        self._place = Place(path)
        self._names = tuple(map(_name, inputs))
        self._export = manifest.export_id(self._names)
        self._rows = Rows(inputs, wanted.table, wanted.plan, options)
        self._layout = _layout(wanted, self._rows)
        self._schema = self._layout.schema()
        self._made = _made(wanted, options)

    @property
    def place(self) -> str:
        """The name of the lake, without secrets."""
        return self._place.shown

    def run(self) -> Exported:
        """Read, and make the rows a part of the lake; or leave the lake as it is."""
        with self._place.locked():
            before, written = manifest.load(self._place)
            state = Manifest(self._layout) if before is None else before
            _check_alike(self._layout, state.layout, self._place)
            replaced = state.replaced_by(self._names)
            self._clean(state)
            with TemporaryDirectory(prefix="fluxcap-") as scratch:
                rows = Sorted(self._layout.by_time, Path(scratch))
                folders = self._read(rows)
                old = rewritten(state.files, replaced, folders, int(files.FULL * self._most))
                return self._commit(state, written, replaced, old, rows)

    def _clean(self, state: Manifest) -> None:
        """Remove what no state that can still be read consists of."""
        named = frozenset(file.path for file in state.files)
        for path in {*state.retired, *self._place.strays(named)} - named:
            self._place.remove(path)

    def _read(self, rows: Sorted) -> set[str]:
        """Take the rows of the inputs; gives their folders."""
        periods: set[int] = set()
        for table in self._rows.read(self._export, self._schema):
            periods.update(set(self._layout.periods(times(table, self._layout.by_time)).tolist()))
            rows.add(table)
        return set(map(self._layout.folder, periods))

    def _commit(
        self, state: Manifest, written: bytes | None, replaced: frozenset[str], old: Sequence[File], rows: Sorted
    ) -> Exported:
        new: list[File] = []
        try:
            kept = [self._kept(several, replaced) for several in by_rank(old)]
            new.extend(files.write(self._place, self._layout, rows.merged(kept), self._most))
            made = sum(file.exports.get(self._export, 0) for file in new)
            after = Manifest(
                self._layout,
                {
                    **{name: one for name, one in state.exports.items() if name not in replaced},
                    self._export: Export(self._names, made, self._made),
                },
                (*(file for file in state.files if file not in old), *new),
                tuple(file.path for file in old),
            )
            if self._place.load(MANIFEST) != written:
                raise OSError(EBUSY, "another export changed the lake meanwhile; export again", self._place.shown)
            manifest.commit(after, self._place)
        except BaseException:
            self._undo(new)
            raise
        gone = sum(state.exports[name].rows for name in replaced)
        return Exported(made, gone, len(new), sum(file.octets for file in new), self._rows.metadata)

    def _undo(self, new: Sequence[File]) -> None:
        """Remove files of an export that has failed; not those that the lake consists of, if it failed after that."""
        state, _ = manifest.load(self._place)
        named = {file.path for file in state.files} if state is not None else set()
        for file in new:
            if file.path not in named:
                self._place.remove(file.path)

    def _kept(self, several: Sequence[File], replaced: frozenset[str]) -> Iterator[pa.Table]:
        """The rows of files, one after the other, that are not replaced."""
        return (table.cast(self._schema) for file in several for table in files.read(self._place, file, replaced))


def _name(item: Input) -> str:
    """The name by which rows of an input are replaced. ValueError for an input without one."""
    if is_url(item.name):
        return item.name
    if item.once or not Path(item.name).is_file():
        raise ValueError(f"{item.name} has no name by which its rows could be replaced; save it to a file")
    return str(Path(item.name).resolve())


def _layout(wanted: Wanted, rows: Rows) -> Layout:
    of_flows = wanted.table != "packets"
    by = wanted.plan.key.text if of_flows else ""
    counted = semantics.find(wanted.plan.semantics).octets if of_flows else ""
    return laid_out(wanted.table, rows.like(), by, counted, wanted.by_time, wanted.partition)


def _made(wanted: Wanted, options: ReadOptions) -> Mapping[str, Any]:
    """What the manifest says about how rows were made."""
    plan = wanted.plan.metadata()
    names = ("semantics", "idle_timeout", "tcp_idle_timeout", "active_timeout")
    of_flows = {name: plan[name] for name in names} if wanted.table != "packets" else {}
    return {**of_flows, "where": options.where, "inner": options.inner, "decap": options.decap}


def _check_alike(wanted: Layout, there: Layout, place: Place) -> None:
    for name, asked, has in zip(Layout._fields, wanted, there, strict=True):
        if asked != has:
            said = {"octets": "bytes", "by_time": "rows by time"}.get(name, name)
            of = "other columns" if name == "columns" else f"{said} {has!r}, not {asked!r}"
            raise ValueError(f"the lake {place.shown} has {of}; export to another one")


def rewritten(there: Sequence[File], replaced: frozenset[str], folders: set[str], full: int) -> list[File]:
    """The files whose rows are written anew: those with rows that are replaced, and in the same folders, and where rows
    come, those that are not full."""
    touched = folders | {file.folder for file in there if not replaced.isdisjoint(file.exports)}
    return [
        file
        for file in there
        if not replaced.isdisjoint(file.exports) or (file.octets < full and file.folder in touched)
    ]


def by_rank(several: Sequence[File]) -> list[list[File]]:
    """The first files of all folders, the second files, and so on, each in the order of time: within one folder files
    overlap, from folder to folder they do not."""
    by_folder: dict[str, list[File]] = {}
    for file in several:
        by_folder.setdefault(file.folder, []).append(file)
    ordered = [by_folder[folder] for folder in sorted(by_folder, key=place_in_time)]
    return [[file for file in rank if file is not None] for rank in zip_longest(*ordered)]
