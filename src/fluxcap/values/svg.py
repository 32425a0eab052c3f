"""Drawings as SVG. Every text goes through an XML writer, which escapes it."""

from typing import Final
from xml.etree import ElementTree as ET

FONT: Final = "text { font: 13px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1c2430; }"


def canvas(label: str, style: str) -> ET.Element:
    """An empty drawing, which says what it shows to those who do not see it."""
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-label": label})
    ET.SubElement(root, "style").text = f"\n{FONT}\n{style}"
    return root


def resize(root: ET.Element, width: int, height: int) -> None:
    """Give a drawing its size in pixels."""
    for name, value in (("viewBox", f"0 0 {width} {height}"), ("width", str(width)), ("height", str(height))):
        root.set(name, value)


def text(parent: ET.Element, x: int, y: int, text: str, kind: str = "", anchor: str = "start") -> None:
    """Write a line of text, of a class of the style."""
    element = ET.SubElement(parent, "text", {"x": str(x), "y": str(y), "text-anchor": anchor})
    if kind:
        element.set("class", kind)
    element.text = text


def shape(parent: ET.Element, tag: str, **numbers: int) -> None:
    """Draw an element that numbers describe: a `rect`, a `line`."""
    ET.SubElement(parent, tag, {name: str(number) for name, number in numbers.items()})


def as_text(root: ET.Element) -> str:
    """Give a drawing as a file holds it."""
    return ET.tostring(root, encoding="unicode")
