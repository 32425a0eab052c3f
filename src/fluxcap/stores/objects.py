"""Objects that URLs name: found, read and written. The only module that imports fsspec."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from threading import Event
from typing import Any, Final, NamedTuple

from fluxcap.errors import missing
from fluxcap.stores.failures import NoRanges, is_last, naming, nothing_there, patiently
from fluxcap.stores.urls import CHAIN, scheme, shown

PIECE: Final = 1 << 20  # bytes read at a time of what comes as a stream
CONNECTING: Final = 10  # seconds until an HTTP server has to take a connection
SILENT: Final = 30  # seconds without a byte after which a connection is given up
SIZES_AT_ONCE: Final = 8  # requests for the sizes of objects
HTTP: Final = ("http", "https")
# What reads a scheme, and the extra that brings it.
PACKAGES: Final = {**dict.fromkeys(HTTP, ("aiohttp", "remote")), "s3": ("s3fs", "remote"), "gs": ("gcsfs", "gs")}
# Where an object appears when all of it is there, if it is written at once.
WRITABLE: Final = ("s3", "s3a", "gs", "gcs", "abfs", "az", "memory")


class Object(NamedTuple):
    """One object in a store."""

    url: str
    size: int | None  # None: the store does not say
    ranges: bool  # any part of it can be read by itself, as far as the store says
    directory: str = ""  # what the user named, if it was a directory


class Traffic:
    """Bytes of objects that this process has read, as they are stored."""

    octets = 0


def find(url: str) -> list[Object]:
    """The objects that a URL names: itself, matches of a pattern, or all below a directory, in no order. OSError where
    there is none."""
    with naming(url):
        store, path = store_of(url)
        store.invalidate_cache()  # another may have written since
        return patiently(lambda: _found(store, url, path))


def _found(store: Any, url: str, path: str) -> list[Object]:
    whole = path.endswith("/") and scheme(url) in HTTP
    known = None if whole else _known(store, path)
    if known is None and not whole and _is_pattern(url, path):
        found = store.glob(path, detail=True)
        matches = [one for match, info in found.items() for one in _below(store, url, match, info)]
        if not matches:
            raise nothing_there("no object matches")
        return _sized(store, url, matches)
    if whole or (known is not None and known["type"] == "directory"):
        below = list(_below(store, url, path, {"type": "directory"}))
        if not below:
            raise nothing_there("no object in this directory")
        return _sized(store, url, [one._replace(directory=shown(url)) for one in below])
    if known is None:
        raise nothing_there("no such object")
    return [_object(store, url, known)]


def _known(store: Any, path: str) -> Mapping[str, Any] | None:
    try:
        known: Mapping[str, Any] = store.info(path)
    except FileNotFoundError as error:
        if getattr(error.__cause__, "status", 404) not in (404, 410):  # of HTTP any failure is "not found"
            raise
        return None
    return known


def _is_pattern(url: str, path: str) -> bool:
    return any(mark in path for mark in ("*[" if scheme(url) in HTTP else "*[?"))


def _below(store: Any, url: str, path: str, info: Mapping[str, Any]) -> Iterator[Object]:
    if info["type"] != "directory":
        yield _object(store, _url(store, url, path), info)
        return
    for file, known in store.find(path, detail=True).items():
        yield _object(store, _url(store, url, file), known)


def _object(store: Any, url: str, info: Mapping[str, Any]) -> Object:
    size = info.get("size")
    return Object(url, size, store.async_impl and size is not None and info.get("partial", True))


def _url(store: Any, url: str, path: str) -> str:
    """The URL of an object found in the store of another URL."""
    first, chained, behind = url.partition(CHAIN)
    if chained and "://" not in first:  # a store that keeps copies of what is in another
        return f"{first}{CHAIN}{_url(store.fs, behind, path)}"
    return f"{store.unstrip_protocol(path)}{chained}{behind}"


def _sized(store: Any, url: str, found: list[Object]) -> list[Object]:
    """The objects with their sizes; a directory of a web server does not tell them."""
    if scheme(url) not in HTTP:
        return found

    async def size(one: Object, gate: asyncio.Semaphore) -> Object:
        async with gate:
            return _object(store, one.url, await store._info(one.url))._replace(directory=one.directory)

    async def sizes() -> list[Object]:
        gate = asyncio.Semaphore(SIZES_AT_ONCE)
        return list(await asyncio.gather(*(size(one, gate) for one in found)))

    from fsspec.asyn import sync  # type: ignore[import-untyped,unused-ignore]

    made: list[Object] = sync(store.loop, sizes)
    return made


def read(item: Object, start: int, end: int, stopped: Event) -> bytes:
    """These bytes of an object. NoRanges where the server sends whole objects only."""

    def once() -> bytes:
        store, path = store_of(item.url)
        if scheme(item.url) not in HTTP:
            octets: bytes = store.cat_file(path, start=start, end=end)
        else:
            # That would take the whole of an object for its part. And a file that is no larger than its blocks is
            # fetched as a whole, so they are of one byte.
            with store.open(path, "rb", block_size=1, cache_type="none", size=item.size) as file:
                file.seek(start)
                octets = file.read(end - start)
        if len(octets) != end - start:
            raise ConnectionError(f"{len(octets)} bytes came of {end - start}")
        return octets

    with naming(item.url, f", at bytes {start} to {end} of the object"):
        try:
            octets = patiently(once, stopped)
        except ValueError as error:
            if scheme(item.url) in HTTP:
                raise NoRanges from error
            raise
    Traffic.octets += len(octets)
    return octets


def stream(item: Object, start: int, stopped: Event) -> Iterator[bytes]:
    """The bytes of an object from there on, in order. After a failure the object is read again up to where it was."""
    at, tried = start, 0
    while True:
        try:
            for piece in _pieces(item, at):
                yield piece
                at, tried = at + len(piece), 0
            if at < (item.size or 0):
                raise ConnectionError(f"{at} bytes came of {item.size}")
            return
        except Exception as error:
            tried += 1
            if is_last(error, tried, stopped):
                with naming(item.url, f", at byte {at} of the object"):
                    raise


def _pieces(item: Object, skip: int) -> Iterator[bytes]:
    """The bytes of an object behind those to skip, which are read as well."""
    store, path = store_of(item.url)
    whole = {"block_size": 0} if scheme(item.url) in HTTP else {}
    with store.open(path, "rb", **whole) as file:
        while piece := file.read(PIECE):
            Traffic.octets += len(piece)
            skipped = min(skip, len(piece))
            skip -= skipped
            if len(piece) > skipped:
                yield piece[skipped:]


def check_writable(url: str) -> None:
    """ValueError for a store in which an object could be seen before it is whole; ImportError if a package is
    missing."""
    if scheme(url) not in WRITABLE:
        raise ValueError(f"{shown(url)}: nothing is written to {scheme(url)}://, only to {'://, '.join(WRITABLE)}://")
    with naming(url):
        store_of(url)


def put(path: str, url: str) -> None:
    """Write a file to an object, which is there when all of it is."""
    with naming(url):
        store, target = store_of(url)
        patiently(lambda: store.put_file(path, target))


def fetch(url: str) -> bytes:
    """All bytes of a small object, as they are now."""
    with naming(url):
        store, path = store_of(url)
        octets: bytes = patiently(lambda: store.cat_file(path))
        return octets


def remove(url: str) -> None:
    """Remove an object, if it is there."""
    with naming(url), suppress(FileNotFoundError):
        store, path = store_of(url)
        patiently(lambda: store.rm_file(path))


def store_of(url: str) -> Any:
    """What reads and writes the objects of a URL, and their name there. ImportError if a package is missing."""
    try:
        import fsspec  # type: ignore[import-untyped,unused-ignore]
    except ModuleNotFoundError:
        raise missing(f"{scheme(url)}://", "fsspec", "remote") from None
    schemes = [scheme(part) for part in url.split(CHAIN)]
    for one in schemes:
        try:
            fsspec.get_filesystem_class(one)
        except ImportError as error:
            if one in PACKAGES:
                raise missing(f"{one}://", *PACKAGES[one]) from None
            raise ImportError(f"{one}:// needs a package that is missing: {error}") from None
    settings = {one: {"client_kwargs": _http(fsspec.config.conf.get(one, {}))} for one in schemes if one in HTTP}
    return fsspec.url_to_fs(url, **settings)


def _http(configured: Mapping[str, Any]) -> dict[str, Any]:
    """How HTTP is spoken: a slow server is waited for, a silent one is not."""
    from aiohttp import ClientTimeout

    timeout = ClientTimeout(total=None, sock_connect=CONNECTING, sock_read=SILENT)
    # A server that compressed on its way what is stored would know neither sizes nor ranges.
    return {"timeout": timeout, "headers": {"Accept-Encoding": "identity"}, **configured.get("client_kwargs", {})}
