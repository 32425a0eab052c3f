"""Run the notebooks of docs/ from their start to their end.

`python tests/support/notebooks.py tour` puts what docs/tour.ipynb shows into the file.
"""

import base64
import copy
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"
PATIENCE = 60  # seconds a cell
PNG = "image/png"
COLOURS = 64  # of a committed picture: a tenth of the bytes, and no difference to be seen


def path_of(name: str) -> Path:
    """The file of a notebook."""
    return DOCS / f"{name}.ipynb"


def executed(path: Path) -> nbformat.NotebookNode:
    """A notebook with the outputs of a run in its own folder, and nothing that says when or on which machine."""
    notebook = copy.deepcopy(nbformat.read(path, as_version=4))
    client = NotebookClient(
        notebook, timeout=PATIENCE, record_timing=False, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def outputs(notebook: nbformat.NotebookNode) -> Iterator[nbformat.NotebookNode]:
    """What the cells put out, in order."""
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def picture(output: nbformat.NotebookNode) -> Image.Image:
    """The picture in an output."""
    return Image.open(io.BytesIO(base64.b64decode(output.data[PNG]))).convert("RGB")


def small(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """With its pictures in few bytes."""
    for output in outputs(notebook):
        if PNG in output.get("data", {}):
            packed = io.BytesIO()
            picture(output).quantize(COLOURS).save(packed, "PNG", optimize=True)
            output.data[PNG] = base64.b64encode(packed.getvalue()).decode()
    return notebook


if __name__ == "__main__":
    for name in sys.argv[1:]:
        nbformat.write(small(executed(path_of(name))), path_of(name))
