"""The committed pictures of docs/ equal those that docs/draw.py draws now."""

import importlib.util
import re

import pytest

import page_blocks

AGAIN = "python docs/draw.py draws the pictures again"
SIZE_LIMIT = 60_000  # bytes

spec = importlib.util.spec_from_file_location("draw", page_blocks.DOCS / "draw.py")
assert spec
assert spec.loader
draw = importlib.util.module_from_spec(spec)
spec.loader.exec_module(draw)


def texts(svg: str) -> list[str]:
    """The content of a picture: axes, titles and marks without their positions, which depend on the fonts."""
    return re.findall(r"<text[^>]*>([^<]*)", svg)


@pytest.mark.parametrize("name", draw.PICTURE)
def test_a_picture_shows_what_the_samples_show_now(name):
    committed, now = (draw.PICTURES / f"{name}.svg").read_text(), draw.PICTURE[name]()
    assert texts(committed) == texts(now), AGAIN
    assert committed.count("<path") == now.count("<path"), AGAIN


def test_a_picture_names_the_addresses_in_full():
    clients = (draw.PICTURES / "who-sent-most.svg").read_text()
    assert {f"192.0.2.{host}" for host in range(101, 113)} <= set(texts(clients))


def test_every_picture_is_drawn_small_and_shown_on_a_page():
    there = {path.stem: path.stat().st_size for path in draw.PICTURES.iterdir()}
    shown = {name for page in page_blocks.PAGES for name in re.findall(r"pictures/([\w-]+)\.svg\)", page.read_text())}
    assert set(there) == set(draw.PICTURE) == shown
    assert {name: size for name, size in there.items() if size > SIZE_LIMIT} == {}
