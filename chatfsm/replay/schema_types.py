"""JSON Schema from types: annotations, the fields of attrs classes and their docstrings.

Libraries that generate JSON Schema from attrs classes describe one encoding, their own. chatfsm has
several of the same classes, made by its cattrs hooks: effects name their kind, snapshots leave out
defaults and write times as seconds from now. Here each form gives a rule for the types that it
writes in its own way; all other types are written as usual.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from attrs import NOTHING, define, field, fields, has

from chatfsm._plain import snake_case

__all__ = [
    "ANY",
    "JSON_OBJECT",
    "TEXT",
    "Rule",
    "Schema",
    "TypeSchemas",
    "any_of",
    "array_of",
    "described",
    "field_docs",
    "row_of",
    "strict_object",
]

Schema = dict[str, Any]

ANY: Final[Schema] = {}
TEXT: Final[Schema] = {"type": "string"}
JSON_OBJECT: Final[Schema] = {"type": "object"}
_PLAIN: Final[dict[Any, Schema]] = {
    str: TEXT,
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    NoneType: {"type": "null"},
    object: ANY,
    Any: ANY,
}


def any_of(alternatives: Iterable[Schema]) -> Schema:
    """Return the schema of a value that one of the schemas describes."""
    known = list(alternatives)
    if len(known) == 1:
        return known[0]
    if all(set(one) == {"type"} and isinstance(one["type"], str) for one in known):
        return {"type": [one["type"] for one in known]}
    return {"anyOf": known}


def array_of(items: Schema) -> Schema:
    """Return the schema of a list with any number of such items."""
    return {"type": "array", "items": items}


def row_of(*items: Schema) -> Schema:
    """Return the schema of a list with exactly these items, in their order."""
    count = len(items)
    return {"type": "array", "prefixItems": [*items], "minItems": count, "maxItems": count}


def strict_object(
    properties: Mapping[str, Schema], optional: Iterable[str] = (), description: str | None = None
) -> Schema:
    """Return the schema of an object with these properties and no others."""
    left_out = set(optional)
    schema: Schema = {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in left_out],
        "additionalProperties": False,
    }
    return described(schema, description)


def described(schema: Schema, description: str | None) -> Schema:
    """Return a schema with a description, if there is one."""
    return {**schema, "description": " ".join(description.split())} if description else schema


def field_docs(cls: type) -> dict[str, str]:
    """Return the docstrings of the fields of a class by name; none without the source."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        docs.update(_docs_in(base.__module__).get(base.__qualname__, {}))
    return docs


@lru_cache
def _docs_in(module: str) -> dict[str, dict[str, str]]:
    """Return the docstrings of fields in a module: those after an annotated name."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):  # no source is installed, or the module is built in
        return {}
    return {node.name: _docs_of(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _docs_of(node: ast.ClassDef) -> dict[str, str]:
    docs = {}
    for before, after in zip(node.body, node.body[1:], strict=False):
        match before, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(doc))),
            ):
                docs[name] = doc
    return docs


Rule = Callable[["TypeSchemas", Any], Schema | None]


@define
class TypeSchemas:
    """Schemas of types in one document; those of attrs classes are in `definitions`."""

    rule: Rule
    """The schema of a type that the form writes in its own way; None for all others."""
    omits_defaults: bool = False
    """Whether the form leaves out fields that have their default value."""
    definitions: dict[str, Schema] = field(factory=dict, init=False)
    """Schema of each attrs class that a type refers to, by its name in `$defs`."""

    def of(self, kind: Any) -> Schema:
        """Return the schema of a type. Raises TypeError for one that no form has."""
        special = self.rule(self, kind)
        if special is not None:
            return special
        if kind in _PLAIN:
            return _PLAIN[kind]
        if has(kind):
            return self.reference(kind, self.attrs_object)
        schema = self._generic(get_origin(kind), get_args(kind))
        if schema is None:
            raise TypeError(f"{kind} has no JSON Schema")
        return schema

    def _generic(self, origin: Any, arguments: tuple[Any, ...]) -> Schema | None:
        """Return the schema of a type with arguments; None if JSON has no such values."""
        if origin in {Union, UnionType}:
            return any_of(map(self.of, arguments))
        if origin is Literal:
            return {"enum": [*arguments]}
        if origin is list or (origin is tuple and arguments[1:] == (...,)):
            return array_of(self.of(arguments[0]))
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        return None

    def reference(self, cls: type, describe: Callable[[type], Schema]) -> Schema:
        """Return a reference to the definition of a class, which is made once."""
        name = snake_case(cls)
        if name not in self.definitions:
            self.definitions[name] = {}  # a class may have itself in a field
            self.definitions[name] = describe(cls)
        return {"$ref": f"#/$defs/{name}"}

    def attrs_object(self, cls: type) -> Schema:
        """Return the schema of an object with the fields of a class."""
        return strict_object(self.properties(cls), self.optional(cls), cls.__doc__)

    def properties(self, cls: type) -> dict[str, Schema]:
        """Return the schemas of the fields of a class, with their docstrings."""
        hints, docs = get_type_hints(cls, include_extras=True), field_docs(cls)
        return {
            known.name: described(self.of(hints[known.name]), docs.get(known.name))
            for known in fields(cls)
        }

    def optional(self, cls: type) -> list[str]:
        """Return the names of the fields that the form may leave out."""
        known = fields(cls) if self.omits_defaults else ()
        return [each.name for each in known if each.default is not NOTHING]
