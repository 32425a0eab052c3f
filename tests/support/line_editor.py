"""What a shell at a terminal makes of a line and the Tab key."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

from command_line import PATIENCE, environment

PROMPT = "READY>"
# In the files of a shell in two parts, so that the shell's echo of its files is not taken for a prompt.
PRINTED = re.compile(rb"<<(.*?)>>")
STARTUP = {
    "zsh": (".zshrc", "fpath=($HOME $fpath)\nautoload -U compinit; compinit -u -D\nunsetopt promptsp\nPS1='READ''Y>'\n"
                      "fluxcap() { print -r -- '<''<'\"$*\"'>''>' }\n"),
    "fish": (".config/fish/config.fish", "function fish_prompt; printf 'READ''Y>'; end\nset -g fish_greeting\n"
                                         "function fluxcap; echo '<''<'\"$argv\"'>''>'; end\n"),
}  # fmt: skip
SCRIPTS = {"zsh": "_fluxcap", "fish": ".config/fish/completions/fluxcap.fish"}  # where each shell looks for them


class Session:
    """A shell with a script of completions, in which `fluxcap` prints its arguments."""

    def __init__(self, shell: str, script: str, home: Path, cwd: Path) -> None:
        for name, text in (STARTUP[shell], (SCRIPTS[shell], script)):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(text)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        self._process = subprocess.Popen(
            [shell, "-i"], stdin=slave, stdout=slave, stderr=slave, cwd=cwd, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # a shell wants its terminal to be its own
            env=environment(HOME=str(home), ZDOTDIR=str(home), XDG_CONFIG_HOME=str(home / ".config")),
        )  # fmt: skip
        os.close(slave)
        self._sent = b""

    def completed(self, line: str) -> str:
        """The arguments that the command gets when Tab follows the line, and then Return."""
        self._until(re.compile(PROMPT.encode()))
        os.write(self._master, f"{line}\t\r".encode())
        return self._until(PRINTED)[1].decode()

    def close(self) -> None:
        """End the shell."""
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def _until(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        end = time.monotonic() + PATIENCE
        while (found := pattern.search(self._sent)) is None:
            ready, _, _ = select.select([self._master], [], [], max(end - time.monotonic(), 0))
            assert ready, f"waited for {pattern.pattern!r}, not in {self._sent!r}"
            self._sent += os.read(self._master, 1 << 16)
        self._sent = self._sent[found.end() :]
        return found
