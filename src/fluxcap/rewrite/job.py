"""Work that fills a directory while it reads, in steps, so that an interrupt can end it between two steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from fluxcap.capture.inputs import Input
from fluxcap.capture.reading import Reading
from fluxcap.errors import CaptureError
from fluxcap.rewrite.directory import Folder

Done = TypeVar("Done")


class Job(ABC, Generic[Done]):
    """One reading of some inputs into one directory."""

    def __init__(self, inputs: Sequence[Input], reading: Reading, folder: Folder) -> None:
        self.inputs = inputs
        self.reading = reading
        self.folder = folder

    def run(self) -> Done:
        """Do all steps. An early end leaves a directory that is complete up to that step."""
        try:
            for _ in self.steps():
                self.take()
        except CaptureError as error:
            error.partial = self.abandon(error)
            raise
        except KeyboardInterrupt:
            self.finish(interrupted=True)
            raise
        return self.finish()

    def steps(self) -> Iterator[None]:
        """Read, up to where there is something to take."""
        return self.reading.read(self.inputs)

    def abandon(self, error: CaptureError) -> Done | None:
        """Finish after an error that ended the reading, unless nothing was read."""
        if error.fatal and not self.reading.scanner.totals()["packets"]:
            self.folder.discard()
            return None
        return self.finish()

    @abstractmethod
    def take(self) -> None:
        """Write what has been read since the last time."""

    @abstractmethod
    def finish(self, interrupted: bool = False) -> Done:
        """Write the rest, and the index."""
