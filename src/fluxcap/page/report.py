"""The whole page: one HTML file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
import os
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from fluxcap.capture.inputs import Captures
from fluxcap.page import sections
from fluxcap.page.findings import Findings, collect
from fluxcap.page.markup import escaped
from fluxcap.page.sections import Source
from fluxcap.plan.read_options import OnDamage, Order, ReadOptions
from fluxcap.plan.tunnels import Tunnels
from fluxcap.values.metadata import header
from fluxcap.whole_files import check_target, replacing

if TYPE_CHECKING:
    from fluxcap.plan.durations import Duration


def report(
    src: Captures,
    output: str | os.PathLike[str],
    *,
    where: str | None = None,
    inner: bool = False,
    decap: bool = True,
    tunnels: Tunnels | None = None,
    order: Order | None = None,
    reorder: Duration | None = None,
    dedupe: bool | Duration = False,
    server_names: bool = False,
    threads: int | None = None,
    ahead: int | None = None,
    on_damage: OnDamage = "warn",
) -> None:
    """Write a page about captures: the verdict in words, then pictures with the numbers behind them.

    Parameters
    ----------
    src : path, URL, "-", binary file, bytes, or a list of these
        Captures to read as one, in this order. A path may be a glob or a directory (read with its sub-directories).
    output : path
        The HTML file; it appears when it is whole. One file, which loads nothing.
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
    server_names : bool, default False
        Name the sockets that were asked, as far as the packets tell the names of servers (docs/server-names.md).
    threads : int, optional
        Threads to read with, at most one a processor. None: all, few for small inputs. The result is the same.
    ahead : int, optional
        Compressed files to decompress ahead of the current one, up to 64 MiB of each. None: one a processor. 0: none.
    on_damage : {"warn", "raise", "resync"}, default "warn"
        A damaged input: "warn" keeps what was read before the damage, "resync" what comes after it too; "raise" raises.

    Raises
    ------
    ModuleNotFoundError
        The extra `report` is not installed.
    NotACaptureError
        An input is not a capture.
    FilterError
        libpcap refuses the filter.
    CaptureError
        An input is damaged and `on_damage` is "raise".
    OSError
        An input cannot be opened, or the page cannot be written.
    ValueError
        The page would overwrite an input.

    Warns
    -----
    DamagedCaptureWarning
        An input is damaged; the page is about what was read before the damage, and says so.

    See Also
    --------
    read_info, read_checksums, read_connections : the same as objects and tables.

    Examples
    --------
    >>> import fluxcap, tempfile
    >>> fluxcap.report("samples/office.pcap", tempfile.mkdtemp() + "/report.html")
    """
    options = ReadOptions(
        where,
        decap,
        threads,
        on_damage,
        inner=inner,
        tunnels=tunnels,
        order=order,
        reorder=reorder,
        ahead=ahead,
        dedupe=dedupe,
    )
    found = collect(src, options, server_names)
    check_target(output, found.info.metadata["inputs"])
    whole = page(found, options)
    with replacing(output) as out:
        out.write(whole)


def page(found: Findings, options: ReadOptions) -> bytes:
    """The page, as UTF-8."""
    script = _part("page.js")
    inputs = found.info.metadata["inputs"]
    filled = Template(_part("page.html")).substitute(
        hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
        title=escaped(f"{sections.title(found)} · fluxcap"),
        style=_part("page.css"),
        body=sections.body(found, Source(inputs, options)),
        version=escaped(header()["version"] or ""),
        script=script,
    )
    return filled.encode()


def _part(name: str) -> str:
    return files("fluxcap.page").joinpath(name).read_text(encoding="utf-8")
