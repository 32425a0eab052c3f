"""Files get their names when they are whole and on the disk; errors name the file."""

import errno
import io
import os
import signal
from pathlib import Path

import pytest

import fluxcap
from capture_files import pcap, records
from fluxcap import formats
from fluxcap.formats import Rows, parquet
from fluxcap.whole_files import replacing

PACKET = fluxcap.segment(b"x", ("192.0.2.1", 4000), ("192.0.2.2", 53))
FLOWS = fluxcap.read_flows(pcap(records([PACKET] * 10)))
PACKETS = fluxcap.read_packets(pcap(records([PACKET] * 20_000)))


def test_a_file_gets_its_name_after_the_disk_has_what_is_in_it(tmp_path, monkeypatch):
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        done.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().parent == tmp_path}")
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        done.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    FLOWS.write(tmp_path / "x.csv")
    assert done == ["fsync True", "rename", "fsync False"]  # the file, its name, the directory


def test_a_failure_to_write_names_the_file(tmp_path):
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"x\.csv") as caught, replacing(tmp_path / "x.csv"):
        full()
    assert caught.value.errno == errno.ENOSPC
    assert str(caught.value).endswith("x.csv'")
    assert list(tmp_path.iterdir()) == []


class Failing(io.RawIOBase):
    """A file whose first writes succeed."""

    def __init__(self, error: BaseException | int, after: int) -> None:
        self.error, self.after = error, after

    def writable(self) -> bool:
        return True

    def write(self, octets) -> int:
        self.after -= 1
        if self.after < 0:
            if isinstance(self.error, int):
                os.kill(os.getpid(), self.error)
            else:
                raise self.error
        return len(octets)


@pytest.mark.parametrize("name", ["parquet", "arrow", "arrows"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_full_disk_makes_no_library_panic(name, after, capfd, monkeypatch):
    monkeypatch.setitem(parquet.OPTIONS, "max_row_group_size", 10_000)  # the format writes a group at a time
    tables = [PACKETS] * 5
    with pytest.raises(OSError, match="No space left"):
        formats.find(name).write(
            Failing(OSError(errno.ENOSPC, "No space left on device"), after), Rows(tables, list(PACKETS.columns))
        )
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["parquet", "arrow", "arrows"])
def test_ctrl_c_while_a_library_writes_is_a_keyboard_interrupt(name, capfd, monkeypatch):
    monkeypatch.setitem(parquet.OPTIONS, "max_row_group_size", 10_000)
    with pytest.raises(KeyboardInterrupt):
        formats.find(name).write(Failing(signal.SIGINT, 1), Rows([PACKETS] * 5, list(PACKETS.columns)))
    assert capfd.readouterr().err == ""
