"""Schema of the wire: events as servers send them, and as logs and the simulator hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import NOTHING, fields

from chatfsm._protocol import structuring
from chatfsm._protocol.codec import EVENTS, SCHEMAS, SIGNALS
from chatfsm._protocol.structuring import FieldSpec
from chatfsm.events import Attachment, ClientEvent
from chatfsm.replay.schema_types import ANY, Schema, any_of, array_of, described, field_docs

__all__ = ["wire_event"]

# Servers write numbers as text and texts as numbers (PROTOCOL.md §2); null counts as missing.
_TEXT: Final[Schema] = {"type": ["string", "number", "null"]}
_DIGITS: Final = r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_NUMBER: Final[Schema] = {
    "type": ["number", "string", "null"],
    "pattern": rf"^$|^\s*[+-]?{_DIGITS}",
}
_DURATION: Final[Schema] = {**_NUMBER, "minimum": 0, "pattern": rf"^$|^\s*{_DIGITS}"}
_FLAG: Final[Schema] = {
    "type": ["boolean", "string", "null"],
    "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|)$",
}
_PARSED: Final[Mapping[Any, Schema]] = {
    structuring.text: _TEXT,
    structuring.identifier: {**_TEXT, "maxLength": structuring.LONGEST_ID},
    structuring.name: {**_TEXT, "maxLength": structuring.LONGEST_NAME},
    structuring.url: {**_TEXT, "maxLength": structuring.LONGEST_NAME},
    structuring.number: _NUMBER,
    structuring.seconds: _DURATION,
    structuring.timestamp: described(_DURATION, "Time in seconds or milliseconds since 1970."),
    structuring.integer: _NUMBER,
    structuring.boolean: _FLAG,
}
_SIGNAL: Final = "signal"


def wire_event() -> Schema:
    """Return the schema of an event on the wire; fields that chatfsm does not know are allowed."""
    definitions = {"signal": _signals(), "attachment": _fields_of(Attachment)}
    by_class: dict[type, list[str]] = {}
    for name, cls in EVENTS.items():
        by_class.setdefault(cls, []).append(name)
    for cls, names in by_class.items():
        known: Schema = {"type": "object"} if cls is ClientEvent else _fields_of(cls)
        tag = {"event": {"enum": names}}
        definitions[cls.__name__] = {
            **described(known, cls.__doc__),
            "properties": {**tag, **known.get("properties", {})},
            "required": ["event", *known.get("required", ())],
        }
    unknown = {"event": {"type": "string", "not": {"enum": [*EVENTS]}}}
    definitions["Unknown"] = {
        "type": "object",
        "description": "An event that chatfsm does not know.",
        "properties": unknown,
        "required": ["event"],
    }
    names = [name for name in definitions if name[0].isupper()]
    return {**any_of({"$ref": f"#/$defs/{name}"} for name in names), "$defs": definitions}


def _fields_of(cls: type) -> Schema:
    """Return the schema of an object with the fields of a class, under their names on the wire."""
    required = {known.name for known in fields(cls) if known.default is NOTHING}
    docs = field_docs(cls)
    properties: dict[str, Schema] = {}
    aliases: list[Schema] = []
    needed: list[str] = []
    for spec in SCHEMAS[cls]:
        first, *others = spec.names
        is_required = spec.attribute in required
        for name in spec.names:
            if name != "event":
                schema = _value(spec, is_required=is_required and not others)
                properties[name] = described(schema, docs.get(spec.attribute))
        if is_required and others:
            aliases = [{"required": [name]} for name in spec.names]
        elif is_required and first != "event":
            needed.append(first)
    return {
        "type": "object",
        "properties": properties,
        **({"required": needed} if needed else {}),
        **({"anyOf": aliases} if aliases else {}),
    }


def _value(spec: FieldSpec, *, is_required: bool) -> Schema:
    if spec.attribute == _SIGNAL:  # an object, or the JSON text of one
        return any_of(({"type": "string", "pattern": r"^\s*\{"}, {"$ref": "#/$defs/signal"}))
    if spec.attribute == "attachments":
        return any_of(({"type": "null"}, array_of({"$ref": "#/$defs/attachment"})))
    schema = _PARSED.get(spec.parser, ANY)
    if not is_required or "type" not in schema:
        return schema
    kinds = [kind for kind in schema["type"] if kind != "null"]
    return {**schema, "type": kinds, "minLength": 1}


def _signals() -> Schema:
    """Return the schema of a signal; one of an unknown type may be any object."""
    known = []
    for name, cls in SIGNALS.items():
        fields_of = _fields_of(cls)
        properties = {"type": {"const": name}, **fields_of["properties"]}
        known.append(
            described({**fields_of, "properties": properties, "required": ["type"]}, cls.__doc__)
        )
    unknown = {"type": {"not": {"enum": [*SIGNALS]}}}
    return any_of((*known, {"type": "object", "properties": unknown}))
