"""Sphinx makes the pages in docs/ one site: `sphinx-build -W -n docs DIR`, without the network."""

import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import fluxcap

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "fluxcap"
version = release = fluxcap.__version__
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
    "repository_pages",
    "command_reference",
    "column_reference",
]
root_doc = "index"
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
exclude_patterns = ["README.md"]  # index.md shows its text

myst_heading_anchors = 3  # the same anchors as on a code host
nb_execution_mode = "off"  # the tests run the notebook and the blocks of the pages
highlight_language = "text"  # a block without a language is the output of a command

autodoc_member_order = "bysource"
add_module_names = False
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 72  # a longer signature has a line a parameter
python_use_unqualified_type_names = True
default_role = "code"  # docstrings put `names` in backticks, as pages do
numpydoc_show_class_members = False  # autodoc shows them

# Signatures show these names of types, which reference/python.rst explains, instead of the types themselves.
TYPES = (
    "At Capture Captures Chart End IpForm KeySet Metadata Octets OnDamage OnInterrupt Order Partition Rows Scheme"
    " SemanticsName"
)
autodoc_type_aliases = {name: name for name in TYPES.split()}
MADE_BY_HAND = "fluxcap.FlowAggregator"  # functions make all other classes: their constructors are not shown

nitpicky = True
nitpick_ignore_regex = [
    # Names in other documentation: Sphinx would have to fetch its lists of names.
    ("py:class", r"(collections\.abc|datetime|ipaddress|os|pathlib)\..+"),
    ("py:class", r"(np|pd|pl|pa|duckdb)\..+"),
]

html_theme = "furo"
html_title = "fluxcap"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False


def setup(app: Sphinx) -> None:
    """Leave out the constructors of classes that users never call."""
    app.connect("autodoc-process-signature", _signature)


def _signature(
    app: Sphinx, what: str, name: str, object: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    return ("", None) if what in ("class", "exception") and name != MADE_BY_HAND else (signature, returned)
