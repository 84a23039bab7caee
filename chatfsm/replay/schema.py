"""JSON Schema (2020-12) of all JSON that chatfsm writes, generated from its classes.

>>> from chatfsm.replay.schema import schema, schema_names
>>> schema_names()
('event', 'effect', 'replay', 'journal', 'session', 'client', 'metrics', 'export')
>>> effect = schema("effect")
>>> effect["$id"], effect["$defs"]["state_changed"]["required"]
('urn:chatfsm:schema:effect', ['effect', 'previous', 'state'])

A schema describes what this version of chatfsm writes: objects have the properties that it writes,
and no others. Only events of the wire may have further fields, because servers add some. A schema
that needs another one has it among its definitions, under its `$id`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

from chatfsm.replay.schema_forms import (
    client_snapshot,
    effect,
    export_row,
    journal_line,
    metrics,
    replay_line,
    session_snapshot,
)
from chatfsm.replay.schema_types import Schema
from chatfsm.replay.schema_wire import wire_event

__all__ = ["DIALECT", "schema", "schema_names", "schema_title"]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
"""Name of the version of JSON Schema."""


@frozen
class _Document:
    title: str
    describe: Callable[[], Schema]


_DOCUMENTS: Final = {
    "event": _Document("An event on the wire, as a log has it in a line", wire_event),
    "effect": _Document("An effect, as chatfsm.effects.to_json returns it", effect),
    "replay": _Document("A line of chatfsm replay --json", replay_line),
    "journal": _Document("A line of a journal", journal_line),
    "session": _Document("A snapshot of a session", session_snapshot),
    "client": _Document("A snapshot of a client", client_snapshot),
    "metrics": _Document("The document of chatfsm metrics --format json", metrics),
    "export": _Document("A row of chatfsm export, with its columns", export_row),
}


def schema_names() -> tuple[str, ...]:
    """Return the names of all schemas."""
    return tuple(_DOCUMENTS)


def schema_title(name: str) -> str:
    """Return what a schema describes, in one line. Raises KeyError for an unknown name."""
    return _DOCUMENTS[name].title


def schema(name: str) -> Schema:
    """Return a schema as plain JSON. Raises KeyError for an unknown name."""
    known = _DOCUMENTS[name]
    head = {"$schema": DIALECT, "$id": f"urn:chatfsm:schema:{name}", "title": known.title}
    return {**head, **known.describe()}
