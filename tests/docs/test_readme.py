"""The README: every command in it runs, and prints what the README shows."""

import re
from pathlib import Path

import pytest

from command_line import shell, terminal

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def block(name: str) -> str:
    """The fenced block that stands under a mark."""
    found = re.search(rf"<!-- {name} -->\n```\w*\n(.*?)\n```\n", README, re.DOTALL)
    assert found, f"the README has no block {name}"
    return found[1]


def commands() -> list[str]:
    """The lines of every block of commands."""
    return [line for found in re.findall(r"<!-- commands -->\n```sh\n(.*?)\n```\n", README, re.DOTALL)
            for line in found.splitlines()]  # fmt: skip


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_prints_something_and_no_error(command):
    done = shell(f"set -o pipefail\n{command}", cwd=ROOT)
    assert (done.returncode in (0, 141), "error:" in done.stderr) == (True, False), done.stderr
    assert done.stdout or " -o /tmp/" in command


@pytest.mark.parametrize(("command", "output"), [("install", "output"), ("life", "lived")])
def test_a_command_shows_what_the_readme_shows(command, output):
    arguments = block(command).rpartition("fluxcap ")[2].split()
    screen = terminal(*arguments, columns=100, cwd=ROOT)
    shown = [line.rstrip() for line in screen.text.splitlines()]
    assert [line.rstrip() for line in block(output).splitlines()] == shown


def test_the_python_of_the_readme_runs_as_written():
    done = shell('"$PYTHON" -W error - <<"END"\n' + block("python") + "\nEND", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "captured on the sender" in done.stdout


def test_every_verdict_and_disposition_has_its_word_in_the_readme():
    import fluxcap

    assert [name for name in (*fluxcap.VERDICTS, *fluxcap.DISPOSITIONS) if f"`{name}`" not in README] == []


def test_the_key_fields_in_the_readme_are_those_of_the_core():
    from fluxcap._core import KEY_FIELDS

    sentence = re.search(r"A key is any set of (.*?);", README, re.DOTALL)
    assert sentence
    assert tuple(re.findall(r"`(\w+)`", sentence[1])) == KEY_FIELDS


def test_every_file_that_the_readme_names_is_there():
    named = re.findall(r"`((?:[\w.]+/)*[\w.]+\.(?:md|ipynb|py)|\.ci/\w+)`", README)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_has_no_relative_link():
    """A package index and the metadata of the package show the README where relative links lead nowhere."""
    assert re.findall(r"\]\((?!https?:)[^)#]+\)", README) == []


def test_every_exit_code_is_in_the_readme():
    from fluxcap.cli.main import EXIT_CODES

    codes = re.findall(r"^ +(\d+) ", EXIT_CODES, re.MULTILINE)
    assert codes == re.findall(r"^\| (\d+) \|", README, re.MULTILINE)
