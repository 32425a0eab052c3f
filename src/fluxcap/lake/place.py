"""Where a lake lies: a directory of this machine, or the objects under a URL."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final

from fluxcap.lake.layout import PATH
from fluxcap.stores.urls import is_url, shown
from fluxcap.whole_files import naming, target_of

MANIFEST: Final = "_manifest.json"  # readers of folders pass over what begins with an underscore
LOCK: Final = "_lock"


class Place:
    """The files of a lake, named by their paths inside it."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        name = os.fspath(root)
        self.in_store = is_url(name)
        self.root = name.rstrip("/") if self.in_store else str(Path(name).absolute())
        self.shown = shown(self.root)

    def at(self, path: str) -> str:
        """The whole name of a file."""
        return f"{self.root}/{path}"

    def load(self, path: str) -> bytes | None:
        """The bytes of a small file; None if there is no such file."""
        try:
            if not self.in_store:
                return Path(self.at(path)).read_bytes()
            from fluxcap.stores.objects import fetch

            return fetch(self.at(path))
        except FileNotFoundError:
            return None

    def prepare(self, folder: str) -> None:
        """Make a folder, where there are folders."""
        if not self.in_store:
            Path(self.at(folder)).mkdir(parents=True, exist_ok=True)

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        if not self.in_store:
            Path(self.at(path)).unlink(missing_ok=True)
            return
        from fluxcap.stores.objects import remove

        remove(self.at(path))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process of this machine write to the lake. OSError if one does."""
        if self.in_store:
            yield
            return
        import fcntl

        self.prepare("")
        with open(self.at(LOCK), "w") as lock, naming(self.root):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OSError(error.errno, "another export writes to this lake", self.root) from None
            yield

    def strays(self, named: Collection[str]) -> list[str]:
        """The files of exports that did not come to their end, and of states before the last one; in a directory of
        this machine, where no other export can be at work."""
        if self.in_store:
            return []
        found = chain.from_iterable(map(Path(self.root).glob, ("day=*/*part-*", "day=*/hour=*/*part-*")))
        paths = (path.relative_to(self.root) for path in found)
        ours = (str(path) for path in paths if PATH.fullmatch(str(path.with_name(target_of(path.name)))))
        return [path for path in ours if path not in named]

    def arrow(self) -> tuple[Any, str]:
        """The file system in which pyarrow finds the files, and what stands before their paths there."""
        from pyarrow import fs  # type: ignore[import-untyped,unused-ignore]

        if not self.in_store:
            return fs.LocalFileSystem(), self.root
        from fluxcap.stores.objects import store_of

        store, path = store_of(self.root)
        return fs.PyFileSystem(fs.FSSpecHandler(store)), path
