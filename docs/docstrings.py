"""Sphinx extension: the plain text of chatfsm's docstrings as reStructuredText, and its links.

In a docstring, `name` is code and a link if it is a public name, an indented block is code, lines
of "term, two spaces, text" are a list of definitions, and all else is meant literally.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any, TypeVar

from docutils import nodes
from sphinx.addnodes import desc_annotation, pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

CODE = re.compile(r"(`[^`]+`)")
NAME = re.compile(r"[A-Za-z_][\w.]*")
CITATION = re.compile(r"PROTOCOL\.md §(\d)")
SPECIAL = re.compile(r"[\\*|]|(?<=\w)_(?!\w)")
TERM = re.compile(r"(?P<term>[\w`][^\s]*(?: [^\s]+)*?) {2,}(?P<text>\S.*)")
UNION = re.compile(r"TypeAliasForwardRef\('(?:\w+\.)*(\w+)'\)")
DEFAULTS = {
    r"= NOTHING\b": "= ...",
    r"= <(?:function|class '|built-in function )(?:\w+\.)*?\s?(\w+)[^>]*>": r"= \1",
    r"= (ClientSettings|Settings)\((?:[^()]|\([^()]*\))*\)": r"= \1()",
    UNION.pattern: r"\1",
}
MODULE = re.compile(r"\bchatfsm\.(?:\w+\.)+(?=\w)")
ARGUMENT = re.compile(r"`\w+`[ :,]")
WIDTH = 88  # characters that a line of a docstring has at least, if it is indented twice
ITEM = re.compile(r"(?:[-*]|\d+\.) ")


def to_rst(docstring: list[str]) -> Iterator[str]:
    """Yield the lines of a docstring as reStructuredText."""
    code: list[str] = []
    in_list = False
    for line in separated(docstring):
        in_code = code and (line.startswith(" ") or not line)
        if in_code or (line.startswith("    ") and not in_list):
            code.append(line)
        else:
            yield from literal_block(code)
            code = []
            if line.strip():
                in_list = bool(ITEM.match(line)) or (in_list and line.startswith(" "))
            yield from prose(line)
    yield from literal_block(code)


def separated(docstring: list[str]) -> Iterator[str]:
    """Yield the lines with an empty one before each `argument` that begins a line on purpose.

    On purpose means that its first word would have fitted into the line before.
    """
    before = ""
    for line in docstring:
        is_meant = ARGUMENT.match(line) and before.endswith((".", ";", ":"))
        if is_meant and len(before) + 1 + len(line.split()[0]) < WIDTH:
            yield ""
        yield line
        before = line


def literal_block(code: list[str]) -> Iterator[str]:
    """Yield a block of code, in the language that it is in."""
    if not code:
        return
    lines = textwrap.dedent("\n".join(code)).strip("\n").split("\n")
    yield from ("", f".. code-block:: {language_of(lines)}", "")
    yield from (f"    {line}".rstrip() for line in lines)
    yield ""


def language_of(lines: list[str]) -> str:
    """Return the name of the language for the highlighter."""
    if lines[0].startswith(">>> "):
        return "pycon"
    try:
        ast.parse("async def _():\n" + textwrap.indent("\n".join(lines), "    "))
    except SyntaxError:
        return "text"
    return "python"


def prose(line: str) -> Iterator[str]:
    """Yield a line of text, or an entry of a list of definitions."""
    if (entry := TERM.fullmatch(line)) and not line.startswith(">>> "):
        yield inline(entry["term"])
        yield f"    {inline(entry['text'])}"
    elif line.startswith((">>> ", "... ")):
        yield line
    else:
        yield inline(line)


def inline(line: str) -> str:
    """Return a line with its code marked and all else escaped."""
    bullet = "- " if line.startswith("- ") else ""
    parts = CODE.split(line.removeprefix(bullet))
    return bullet + "".join(
        code_or_link(part[1:-1], follower=next_[:1])
        if number % 2
        else CITATION.sub(r":ref:`\g<0> <protocol-\1>`", SPECIAL.sub(r"\\\g<0>", part))
        for number, (part, next_) in enumerate(zip(parts, [*parts[1:], ""], strict=True))
    )


def code_or_link(text: str, follower: str) -> str:
    """Return code in a line of text; a name becomes a link if chatfsm has such a name."""
    marked = f":py:obj:`{text}`" if NAME.fullmatch(text) else f"``{text}``"
    return f"{marked}\\ " if follower.isalnum() else marked


def convert(_app: Sphinx, _what: str, _name: str, _obj: object, _options: Any, lines: Any) -> None:
    """Convert the docstring of one object in place."""
    lines[:] = to_rst(list(lines))


def tidy(_app: Sphinx, document: nodes.document) -> None:
    """Let annotations name what they mean, and shorten the values of unions.

    Sphinx takes a builtin for any attribute of its name, and writes the members of a union with
    their modules.
    """
    for reference in document.findall(pending_xref):
        if reference.get("refspecific") is False:
            del reference["refspecific"]
    for annotation in document.findall(desc_annotation):
        for text in list(annotation.findall(nodes.Text)):
            shown = MODULE.sub("", UNION.sub(r"\1", text))
            text.parent.replace(text, nodes.Text(shown))


def show_default(
    _app: Sphinx, _what: str, _name: str, _obj: object, _options: Any, signature: Any, result: Any
) -> tuple[Any, Any]:
    """Shorten defaults that are functions, settings or made anew, and name unions."""
    shown = signature or ""
    for pattern, short in DEFAULTS.items():
        shown = re.sub(pattern, short, shown)
    return shown or signature, result and UNION.sub(r"\1", result)


def find(
    _app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Link a name that is documented at one place, wherever it is mentioned."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    objects = env.domains.python_domain.objects
    if target.startswith("chatfsm."):
        target = target.rpartition(".")[2]
    found = [
        name
        for name, known in objects.items()
        if name.startswith("chatfsm.") and name.endswith(f".{target}") and not known.aliased
        # The name of a member alone may be an argument, or a member of another class.
        if "." in target or known.objtype not in {"attribute", "method", "property"}
    ]
    if len(found) != 1:
        is_fine = node["reftype"] == "obj" or is_type_variable(node["reftarget"])
        return content if is_fine else None
    home = objects[found[0]]
    reference = nodes.reference("", "", internal=True)
    address = env.app.builder.get_relative_uri(node["refdoc"], home.docname)
    reference["refuri"] = f"{address}#{home.node_id}"
    reference += content
    return reference


def is_type_variable(target: str) -> bool:
    """Whether a name with its module is that of a type variable."""
    module, _, name = target.rpartition(".")
    return isinstance(getattr(sys.modules.get(module), name, None), TypeVar)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions above to Sphinx."""
    app.connect("autodoc-process-docstring", convert)
    app.connect("autodoc-process-signature", show_default)
    app.connect("doctree-read", tidy)
    app.connect("missing-reference", find)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
