"""Typed lines: the JSON text of one event straight to the event, by msgspec (the extra `fast`).

msgspec parses a text and checks its fields in one step, without a dict in between. Each name of an
event has a Struct, made from its schema, which takes only what is just as meant: no unknown field,
no null, no text that is too long. For all else it raises, and the general decoder reads the text.
The event is the same on both ways. Loaded at the first use, because msgspec takes 10 to 20 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, Literal, Protocol

from attrs import NOTHING, fields
from msgspec import Meta, ValidationError, defstruct
from msgspec.json import Decoder

from chatfsm._protocol import structuring as p
from chatfsm._protocol.json_input import Text
from chatfsm._values import assignment_lines, compile_function

__all__ = ["TypedLine", "TypedParser", "typed_parser"]


class TypedLine(Protocol):
    """A Struct: the fields of one text, among them the identifiers that no event has."""

    def event(self) -> Any:
        """Return the event of the text."""


TypedParser = Callable[[Text], Any]
"""A function from a text to its `TypedLine`. It raises one of `codec.NOT_TYPED` for a text that the
general decoder has to read."""

_Object = dict[str, Any]

# For each parser: the type of the values that it is certain of, and the expression with what it
# makes of them, with the value for {0}. Numbers may be given as text.
_TYPES: Final[dict[object, tuple[Any, str]]] = {
    p.text: (str, "{0}"),
    p.identifier: (Annotated[str, Meta(min_length=1, max_length=p.LONGEST_ID)], "{0}"),
    p.name: (Annotated[str, Meta(max_length=p.LONGEST_NAME)], "{0}"),
    p.url: (Annotated[str, Meta(min_length=1, max_length=p.LONGEST_NAME)], "{0}"),
    p.timestamp: (
        Annotated[float, Meta(gt=0, lt=p.LAST_MILLISECONDS)],
        f"at if (at := {{0}}) is None or at < {p.FIRST_MILLISECONDS!r} else at / 1000",
    ),
    p.seconds: (
        Annotated[float, Meta(ge=0, lt=1e300)] | Literal[""],
        "{0} or (0.0 if {0} == 0.0 else None)",  # -0.0 and "" too
    ),
    p.discard: (_Object, "None"),
    p.is_not_text: (_Object, "True"),
}


def typed_parser(
    schemas: Mapping[str, tuple[type, p.Schema]], tag: str, **identifiers: object
) -> TypedParser | None:
    """Return a parser for texts of one event each; None if msgspec is older than 0.21.

    `schemas`: by name of the event, which is the value of the field `tag`. `identifiers`: further
    fields of the texts, which no event has, and their values in a Struct if a text lacks them.
    """
    if not issubclass(ValidationError, ValueError):
        return None
    structs = [_struct(name, *schemas[name], tag, identifiers) for name in schemas]
    known: Any = reduce(or_, filter(None, structs))
    parser: TypedParser = Decoder(known, strict=False).decode
    return parser


def _struct(
    name: str, cls: type, schema: p.Schema, tag: str, identifiers: Mapping[str, object]
) -> Any:
    """Return the Struct of one event; None if it needs a field that no type describes."""
    defaults = {known.name: known.default for known in fields(cls)}
    expressions = dict.fromkeys(defaults, "NOTHING")
    constants: dict[str, Any] = {}
    typed: list[tuple[Any, ...]] = [
        (field, _TYPES[p.identifier][0], default) for field, default in identifiers.items()
    ]
    for attribute, parser, (field, *_) in schema:
        is_required = defaults.get(attribute) is NOTHING
        if field == tag:
            constants[attribute] = parser(name)
            expressions[attribute] = attribute
        elif parser in _TYPES:
            kind, expression = _TYPES[parser]
            typed.append((field, kind) if is_required else (field, kind, None))
            expressions[attribute] = expression.format(f"line.{field}")
        elif is_required:
            return None
        else:
            expressions[attribute] = repr(defaults[attribute])
    assignments, needed = assignment_lines(cls, expressions)
    code = ["def event(line):", *(f" {assignment}" for assignment in assignments), " return self"]
    event = compile_function("\n".join(code), constants | needed, "event")
    return defstruct(
        cls.__name__,
        typed,
        namespace={"event": event},
        tag_field=tag,
        tag=name,
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )
