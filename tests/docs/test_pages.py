"""The code on the pages in docs/ runs as written, and prints what they show."""

import re
import shutil
import tomllib

import pytest

import page_blocks

# Pages for those who change fluxcap: their commands build it, and measure for minutes.
FOR_USERS = [
    page for page in page_blocks.PAGES if not page.name.startswith("adding-") and page.name != "performance.md"
]

each_page = pytest.mark.parametrize("page", FOR_USERS, ids=lambda page: page.stem)


@each_page
def test_the_blocks_of_a_page_run_in_their_order_and_print_what_it_shows(page, tmp_path):
    session = page_blocks.Session(tmp_path)
    for block in page_blocks.blocks(page):
        if block.needs and page_blocks.missing(block.needs):
            continue  # another program's own command, which a reader of this page has
        try:
            printed = session.run(block)
        except Exception as error:
            error.add_note(f"{page}:{block.line}")
            raise
        assert block.output is None or page_blocks.lines(printed) == page_blocks.lines(block.output), (
            f"{page}:{block.line}"
        )


@each_page
def test_the_commands_in_the_tables_of_a_page_run(page, tmp_path):
    session = page_blocks.Session(tmp_path)
    commands = page_blocks.table_commands(page)
    ours = [command for command in commands if command.startswith("fluxcap ")]
    session.commands(ours)
    for command in commands:
        if command not in ours and shutil.which(command.split()[0]):
            session.shell(command)


@each_page
def test_every_fence_of_a_page_is_one_that_runs_or_the_output_of_one(page):
    fences = len(re.findall(r"^```", page.read_text(), re.MULTILINE))
    assert fences == sum(2 if block.output is None else 4 for block in page_blocks.blocks(page))


@each_page
def test_what_a_page_needs_installed_is_an_extra(page):
    project = tomllib.loads((page_blocks.ROOT / "pyproject.toml").read_text())["project"]
    extras = re.findall(r"'\.\[([\w,]+)\]'", page.read_text())
    assert {name for extra in extras for name in extra.split(",")} <= set(project["optional-dependencies"])


def test_the_index_leads_to_every_page():
    index = (page_blocks.ROOT / "docs" / "README.md").read_text()
    others = [*page_blocks.PAGES, *page_blocks.DOCS.glob("*.ipynb")]
    names = {path.relative_to(page_blocks.DOCS).as_posix() for path in others} - {"README.md"}
    assert sorted(name for name in names if f"]({name})" not in index) == []
