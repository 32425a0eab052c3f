"""`fluxcap completion`, tried in the shells that are installed, `fluxcap sample` and the manual page."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import error_lines, fluxcap, in_terminal, rows
from fluxcap.cli import main
from line_editor import Session

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "sockets.pcapng"
# What bash completes a line to, by asking the function that the script registers.
ASK = """
source "$1"
eval "$(complete -p fluxcap | sed -n 's/.* -F \\([^ ]*\\) .*/complete_it() { \\1; }/p')"
COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}
complete_it fluxcap "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "fluxcap.bash"
    path.write_text(fluxcap("completion", "bash").stdout)
    return path


def completed(script: Path, *words: str) -> set[str]:
    done = subprocess.run(["bash", "-c", ASK, "bash", script, *words], capture_output=True, text=True, cwd=ROOT)
    return {line.strip() for line in done.stdout.splitlines()}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["fluxcap", ""], {*main.COMMANDS}),
        (["fluxcap", "che"], {"check"}),
        (["fluxcap", "flows", "--by"], {"--by"}),
        (["fluxcap", "packets", "--wi"], {"--wide"}),
        (["fluxcap", "flows", "-f", "ts"], {"tsv"}),
        (["fluxcap", "flows", "--color", "n"], {"never"}),
        (["fluxcap", "info", "samples/socket"], {"samples/sockets.pcapng"}),
        (["fluxcap", "flows", "-o", "samples/socket"], {"samples/sockets.pcapng"}),
    ],
)
def test_bash_completes_commands_options_values_and_files(script, words, wanted):
    found = completed(script, *words)
    assert wanted <= found
    assert words[-1] == "" or len(found) < 5


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_one_that_its_shell_can_read(shell):
    done = fluxcap("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    for name in main.COMMANDS:
        assert name in done.stdout
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n", "/dev/stdin"], input=done.stdout, text=True, capture_output=True)
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.fixture(scope="module", params=["zsh", "fish"])
def editor(request, tmp_path_factory):
    """Either shell at a terminal, where it is installed."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    script = fluxcap("completion", request.param).stdout
    session = Session(request.param, script, tmp_path_factory.mktemp(request.param), ROOT)
    yield session
    session.close()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("che", "check"),
        ("flows --unifl", "flows --uniflow"),
        ("flows -f ts", "flows -f tsv"),
        ("flows --color n", "flows --color never"),
        ("flows --resolve s", "flows --resolve services"),
        ("completion zs", "completion zsh"),
        ("info samples/sockets.pc", "info samples/sockets.pcapng"),
        ("flows -o samples/sockets.pc", "flows -o samples/sockets.pcapng"),
        ("check samples/verdicts.pcap samples/sockets.pc", "check samples/verdicts.pcap samples/sockets.pcapng"),
        ("flows samples/verdicts.pcap --unifl", "flows samples/verdicts.pcap --uniflow"),
        ("sql 'FROM flows' samples/sockets.pc", "sql FROM flows samples/sockets.pcapng"),
    ],
)
def test_zsh_and_fish_complete_what_is_typed_at_a_terminal(editor, line, wanted):
    assert editor.completed(f"fluxcap {line}") == wanted


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_menu_of_commands_has_a_line_for_each(shell):
    script = fluxcap("completion", shell).stdout
    assert main.command_of("check").HELP.replace("'", "'\"'\"'") in script
    assert main.command_of("check").DESCRIPTION.splitlines()[0] not in script


def test_another_shell_is_refused_with_those_there_are():
    assert all(name in error_lines(fluxcap("completion", "csh").stderr)[0] for name in ("bash", "zsh", "fish"))


# The sample


def test_the_sample_is_the_capture_that_the_pages_read():
    """What the wheel carries is compressed: a copy that must not fall behind."""
    done = subprocess.run([sys.executable, "-m", "fluxcap", "sample"], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, SAMPLE.read_bytes(), b"")


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_at_a_terminal_the_sample_becomes_a_file_and_never_overwrites_one(columns, tmp_path):
    command = [sys.executable, "-m", "fluxcap", "sample"]
    written = in_terminal(command, columns, cwd=tmp_path)
    assert (written.code, (tmp_path / "sample.pcapng").read_bytes()) == (0, SAMPLE.read_bytes())
    [hint] = re.findall(r"`fluxcap (.*)`", " ".join(written.lines))
    assert rows(fluxcap(*hint.split(), cwd=tmp_path).stdout)
    (tmp_path / "sample.pcapng").write_bytes(b"mine")
    again = in_terminal(command, columns, cwd=tmp_path)
    assert (again.code, (tmp_path / "sample.pcapng").read_bytes()) == (2, b"mine")


def test_the_sample_goes_where_it_is_told(tmp_path):
    assert fluxcap("sample", "-o", tmp_path / "x.pcapng").returncode == 0
    assert (tmp_path / "x.pcapng").read_bytes() == SAMPLE.read_bytes()


# The manual page


def test_the_manual_page_has_every_command_and_option(tmp_path):
    """As setup.py makes it for the wheel."""
    made = "from argparse_manpage.cli import main; main()"
    page = tmp_path / "fluxcap.1"
    subprocess.run(
        [sys.executable, "-c", made, "--module", "fluxcap.cli.manual", "--function", "manual", "--output", page],
        check=True, cwd=tmp_path,
    )  # fmt: skip
    text = page.read_text().replace("\\-", "-")
    for name in main.COMMANDS:
        own = main.Parser()
        main.command_of(name).configure(own)
        options = set(own._option_string_actions) - {"-h", "--help"}  # this is the help
        section = text[text.index(f"'fluxcap {name}'") :]
        assert sorted(option for option in options if option not in section) == []
    if shutil.which("man"):
        shown = subprocess.run(
            ["man", "--warnings", "-l", page], capture_output=True, text=True, env={**os.environ, "MANWIDTH": "80"}
        )
        assert (shown.returncode, shown.stderr) == (0, "")
        assert "fluxcap flows" in shown.stdout
