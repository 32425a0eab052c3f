"""How Sphinx makes the pages in docs/ one site: `sphinx-build -W -n docs DIR`, without the network."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "fluxcap"
version = release = installed("fluxcap")
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
    "repository_pages",
]
root_doc = "index"
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
exclude_patterns = ["README.md"]  # index.md shows its text

myst_heading_anchors = 3  # as a code host makes them
nb_execution_mode = "off"  # the tests run the notebook and the blocks of the pages
highlight_language = "text"  # of a block without a language: what a command prints
nitpicky = True

html_theme = "furo"
html_title = "fluxcap"
html_copy_source = False
html_show_copyright = False
