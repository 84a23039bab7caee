"""Configuration of Sphinx for these pages; see contributing.md for the commands."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import chatfsm

project = "chatfsm"
author = "chatfsm contributors"
release = chatfsm.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "docstrings"]
exclude_patterns = ["_build", "examples"]

# Markdown.
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3

# The reference, from the docstrings.
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
add_module_names = False
python_maximum_signature_line_length = 80
# Unions of many classes and of many texts are shown by their names.
autodoc_type_aliases = {
    name: f"chatfsm.{module}.{name}"
    for module, names in {
        "api": "ApiRequest",
        "client_effects": "ChatEffect ClientEffect",
        "commands": "Command",
        "drivers._core": "AsyncSender PendingEffect Sender",
        "drivers._saving": "Save",
        "effects": "AppEffect Effect FormReason IgnoredReason TypingReason",
        "events": "Event",
        "inputs": "Input",
        "models": "AnomalyKind",
        "signaling": "Signal",
    }.items()
    for name in names.split()
}
# A name of chatfsm that leads nowhere is an error. Other names would need the inventories of other
# projects, and the build would need the network.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!chatfsm\.).*"),
    ("py:.*", r"chatfsm\.(.+\.)?_.*"),  # private
    ("py:class", r"chatfsm\.(replay|simulator)\..*"),  # inner parts, which the reference leaves out
]

html_theme = "furo"
html_title = f"chatfsm {release}"
html_static_path = ["_static"]
html_css_files = ["page.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
