"""Schema forms: how effects, inputs, journals, snapshots and metrics write their classes as JSON.

Each function returns one document, without its name; `chatfsm.replay.schema` gives it that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin, get_type_hints

from attrs import fields

from chatfsm import models
from chatfsm._client import journal as journals
from chatfsm._client import snapshot as client_snapshots
from chatfsm._client.state import ClientState, RetryTimer
from chatfsm._plain import snake_case
from chatfsm._session import snapshot as session_snapshots
from chatfsm._session.state import (
    Counts,
    Fingerprint,
    JoinTimes,
    SeenIds,
    ServerTime,
    SessionState,
    SessionTime,
)
from chatfsm._statemachine import TransitionTable
from chatfsm.effects import Effect, OutgoingMessage, SendEvents
from chatfsm.events import Event
from chatfsm.inputs import History, Input
from chatfsm.replay.export import COLUMNS, KINDS
from chatfsm.replay.metric_totals import MetricsReport
from chatfsm.replay.metrics import AgentInChat, ChatMetrics
from chatfsm.replay.schema_types import (
    ANY,
    JSON_OBJECT,
    TEXT,
    Schema,
    TypeSchemas,
    any_of,
    array_of,
    described,
    field_docs,
    row_of,
    strict_object,
)
from chatfsm.settings import Settings
from chatfsm.signaling import Signal
from chatfsm.transport import RequestPurpose

__all__ = [
    "EFFECT_URN",
    "SESSION_URN",
    "client_snapshot",
    "effect",
    "export_row",
    "journal_line",
    "metrics",
    "replay_line",
    "session_snapshot",
]

EFFECT_URN: Final = "urn:chatfsm:schema:effect"
SESSION_URN: Final = "urn:chatfsm:schema:session"

_NUMBER: Final[Schema] = {"type": "number"}
_INTEGER: Final[Schema] = {"type": "integer"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_NUMBER_OR_NULL: Final[Schema] = {"type": ["number", "null"]}
_TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
_DIGEST: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{32}$"}


# Effects and inputs: `chatfsm._plain`.

_SIGNALS: Final = get_args(Signal)
_SENDER: Final = ("msg_id", "party_id", "own", "sender")
# Besides these, each has `timestamp` and `extra`.
_SHARED: Final[dict[type, tuple[str, ...]]] = {
    models.ChatMessage: ("text", "html", "channel", "attachments"),
    models.SharedFile: ("file_id", "file_type", "file_name", "url"),
    models.SharedLocation: ("latitude", "longitude", "url"),
}


def _plain_rule(types: TypeSchemas, kind: Any) -> Schema | None:
    if kind in {Mapping[str, object], dict[str, object], dict[str, Any]}:
        return JSON_OBJECT
    if kind in _SHARED:
        return types.reference(kind, lambda cls: _shared(types, cls))
    if kind is models.Form:
        return types.reference(
            kind, lambda cls: strict_object(types.properties(cls), ["content"], cls.__doc__)
        )
    if kind in _SIGNALS:
        return _tagged(types, kind, "signal")
    return None


def _shared(types: TypeSchemas, cls: type) -> Schema:
    """Return the schema of a message, a file or a location: its properties, by their types."""
    properties = {}
    for name in (*_SENDER, *_SHARED[cls], "timestamp"):
        known = getattr(cls, name, None)
        if isinstance(known, property):
            kind, doc = get_type_hints(known.fget)["return"], known.__doc__
        elif name == "channel":
            kind, doc = str | None, None
        else:
            kind, doc = get_type_hints(cls)[name], field_docs(cls).get(name)
        properties[name] = described(types.of(kind), doc)
    properties["extra"] = described(JSON_OBJECT, "Fields that chatfsm does not know, as received.")
    return strict_object(properties, ["url"] if cls is models.SharedFile else [], cls.__doc__)


def _tagged(types: TypeSchemas, cls: type, tag: str) -> Schema:
    """Return a reference to a class whose objects begin with its name."""

    def describe(cls: type) -> Schema:
        return strict_object(_tagged_properties(types, cls, tag), [], cls.__doc__)

    return types.reference(cls, describe)


def _tagged_properties(types: TypeSchemas, cls: type, tag: str) -> dict[str, Schema]:
    return {tag: {"const": snake_case(cls)}, **types.properties(cls)}


def _event(types: TypeSchemas, tag: str) -> Schema:
    return any_of(_tagged(types, cls, tag) for cls in get_args(Event))


def _effect(types: TypeSchemas, cls: type, place: Mapping[str, Schema]) -> Schema:
    """Return the schema of one effect, after the properties that tell its place."""
    properties = {**place, **_tagged_properties(types, cls, "effect")}
    properties["replayed"] = {**properties["replayed"], "const": True}
    if cls is SendEvents:
        del properties["messages"]
        properties["events"] = described(
            array_of({**JSON_OBJECT, "required": ["event"]}), SendEvents.events.__doc__
        )
        properties["msg_ids"] = described(array_of(TEXT), SendEvents.msg_ids.__doc__)
    return strict_object(properties, ["replayed"], cls.__doc__)


def _effect_rule(types: TypeSchemas, kind: Any) -> Schema | None:
    if kind == Event:
        return _event(types, "event")
    # `SendEvents` is written as the events of its messages and their ids.
    return ANY if kind == tuple[OutgoingMessage, ...] else _plain_rule(types, kind)


def _effects(place: Mapping[str, Schema]) -> Schema:
    types = TypeSchemas(_effect_rule)
    references = [
        types.reference(cls, lambda cls: _effect(types, cls, place)) for cls in get_args(Effect)
    ]
    return {**any_of(references), "$defs": types.definitions}


def effect() -> Schema:
    """Return the schema of what `chatfsm.effects.to_json` returns."""
    return _effects({})


def replay_line() -> Schema:
    """Return the schema of a line of `chatfsm replay --json`."""
    return _effects(
        {
            "chat_id": described(TEXT, "Id of the chat."),
            "seq": described(_COUNT, "Number of the event in its chat, from 0."),
            "at": described(_NUMBER, "Seconds on the clock of the log."),
        }
    )


# Journals: `chatfsm._client.journal`.


def _input_rule(types: TypeSchemas, kind: Any) -> Schema | None:
    return _plain_rule(types, kind) if kind != Event else _event(types, "input")


def _input(types: TypeSchemas, cls: type) -> Schema:
    if cls is History:
        events = array_of(_event(types, "input"))
        properties = {
            "input": {"const": "history"},
            "events": events,
            "complete": types.properties(History)["complete"],
        }
        return types.reference(cls, lambda cls: strict_object(properties, [], cls.__doc__))
    return _tagged(types, cls, "input")


def journal_line() -> Schema:
    """Return the schema of a line of a journal: the header of a chat, or one input."""
    types = TypeSchemas(_input_rule)
    place = {
        "received_at": described(_NUMBER, "Time of day in seconds since 1970."),
        "v": {"const": journals.VERSION},
        "chat_id": {"type": "string", "minLength": 1},
    }
    at = described(_NUMBER, "Seconds on the clock of the session.")
    made = {"chatfsm": TEXT, "settings": types.of(Settings), "token": TEXT}
    header = strict_object(
        {
            **place,
            "journal": strict_object(made, ["token"]),
            "at": at,
            "snapshot": {"$ref": SESSION_URN},
        },
        ["received_at", "snapshot"],
        "The first line of a chat: how its session was made.",
    )
    entry = {
        **place,
        "seq": described(_COUNT, "Number of the input in its chat, from 0."),
        "at": at,
        "in": any_of(_input(types, cls) for cls in get_args(Input)),
    }
    received = strict_object(
        {**entry, "out": array_of({"$ref": EFFECT_URN})},
        ["received_at"],
        "An input, and its effects.",
    )
    refused = strict_object(
        {**entry, "refused": TEXT}, ["received_at"], "An input that the session refused."
    )
    lines = {"header": header, "entry": received, "refusal": refused}
    return {
        **any_of({"$ref": f"#/$defs/{name}"} for name in lines),
        "$defs": {**lines, **types.definitions, **_embedded()},
    }


def _embedded() -> dict[str, Schema]:
    """Return whole schemas as definitions of another one, which refers to them by `$id`."""
    return {
        "effect": {"$id": EFFECT_URN, **effect()},
        "session": {"$id": SESSION_URN, **session_snapshot()},
    }


# Snapshots: `chatfsm._session.snapshot_fields` and `chatfsm._client.snapshot`.

_SECONDS_LEFT: Final = described(
    row_of(_NUMBER, _NUMBER), "Seconds from the time of the snapshot, and their rounding error."
)
_SERVER_TIME: Final = any_of((_NUMBER, {"const": "inf"}))
_MESSAGE_KEY: Final = any_of(
    (TEXT, row_of(TEXT, TEXT), row_of({"type": "null"}, TEXT, _NUMBER_OR_NULL))
)
_SNAPSHOT_TYPES: Final[list[tuple[Any, Schema]]] = [
    (SessionTime, _SECONDS_LEFT),
    (ServerTime, _SERVER_TIME),
    (JoinTimes, any_of(({"type": "null"}, _NUMBER, row_of(_NUMBER, _NUMBER)))),
    (Fingerprint, TEXT),
    (
        SeenIds,
        array_of(
            row_of(
                any_of(({"type": "null"}, TEXT, row_of(TEXT, _TEXT_OR_NULL))),
                array_of(_MESSAGE_KEY),
                array_of(TEXT),
            )
        ),
    ),
    (dict[str, Any], JSON_OBJECT),
    (Mapping[str, object], JSON_OBJECT),
]


def _snapshot_rule(types: TypeSchemas, kind: Any) -> Schema | None:
    for known, schema in _SNAPSHOT_TYPES:
        if kind == known:
            return schema
    if kind is models.Party:
        return row_of(*types.properties(kind).values())
    if kind is models.Form:
        deadline = any_of(({"type": "null"}, _SECONDS_LEFT))
        properties = {**types.properties(kind), "deadline": deadline}
        return types.reference(
            kind, lambda cls: strict_object(properties, types.optional(cls), cls.__doc__)
        )
    if get_origin(kind) is dict:  # a list of pairs, because the order counts
        return array_of(row_of(TEXT, types.of(get_args(kind)[1])))
    for known in getattr(kind, "__metadata__", ()):
        if isinstance(known, TransitionTable):
            return {"enum": [*known.states]}
    return None


def session_snapshot() -> Schema:
    """Return the schema of `ChatSession.snapshot`."""
    types = TypeSchemas(_snapshot_rule, omits_defaults=True)
    counters = [known.name for known in fields(Counts)]
    derived = [known.name for known in fields(SessionState) if not known.eq]
    properties = _session_properties(types, derived)
    counts = strict_object({name: properties.pop(name) for name in counters}, counters)
    memory = strict_object(
        {**properties, "counts": described(counts, Counts.__doc__)},
        types.optional(SessionState),
        "The memory of the session; what is left out has its default value.",
    )
    return _snapshot(session_snapshots.FORMAT, session_snapshots.VERSION, "memory", memory, types)


def _session_properties(types: TypeSchemas, derived: list[str]) -> dict[str, Schema]:
    hints, docs = get_type_hints(SessionState, include_extras=True), field_docs(SessionState)
    return {
        known.name: described(types.of(hints[known.name]), docs.get(known.name))
        for known in fields(SessionState)
        if known.name not in derived
    }


def _snapshot(name: str, version: int, part: str, body: Schema, types: TypeSchemas) -> Schema:
    properties: dict[str, Schema] = {
        "format": {"const": name},
        "version": {"const": version},
        part: body,
        "digest": described(_DIGEST, f"Digest of `{part}`, against accidental changes."),
    }
    return {**strict_object(properties), "$defs": types.definitions}


def _client_rule(types: TypeSchemas, kind: Any) -> Schema | None:
    if kind == dict[str, Any]:
        return JSON_OBJECT
    if kind is RetryTimer:  # its time is null if it has none
        properties = {**types.properties(kind), "at": _NUMBER_OR_NULL}
        return types.reference(kind, lambda cls: strict_object(properties, [], cls.__doc__))
    if get_origin(kind) is dict:  # the requests in flight: their ids and purposes
        return array_of(row_of({"type": "integer", "minimum": 1}, types.of(RequestPurpose)))
    return None


def client_snapshot() -> Schema:
    """Return the schema of `ChatClient.snapshot`."""
    types = TypeSchemas(_client_rule)
    properties = {**types.properties(ClientState), "polled_at": _NUMBER_OR_NULL}
    for known in fields(ClientState):
        states = getattr(known.validator, "options", ())  # of a transition table
        if states:
            properties[known.name] = {"enum": [*states]}
    properties["session"] = any_of(({"type": "null"}, {"$ref": SESSION_URN}))
    body = strict_object(properties, [], "Times are seconds from the time of the snapshot.")
    schema = _snapshot(client_snapshots.FORMAT, client_snapshots.VERSION, "client", body, types)
    schema["$defs"] = {**types.definitions, "session": _embedded()["session"]}
    return schema


# Metrics: `ChatMetrics.to_json` and `MetricsReport.to_json`.

_TIME_OF_DAY: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
_COUNTED: Final[dict[str, tuple[str, ...]]] = {
    "messages": ("customer", "agent", "scenario"),
    "forms": ("opened", "submitted", "cancelled", "expired"),
}


def metrics() -> Schema:
    """Return the schema of `chatfsm metrics --format json`."""
    types = TypeSchemas(lambda _types, _kind: None)
    totals = _totals_object()
    day = strict_object({"day": {"type": ["string", "null"], "format": "date"}, **totals})
    properties = {
        "chats": array_of(strict_object(_chat_properties(types), [], ChatMetrics.__doc__)),
        "agents": array_of(strict_object(_agent_properties())),
        "totals": strict_object(totals, [], "Totals of all chats; null where there is nothing."),
        "days": described(array_of(day), "With --per day: the totals of each day, in UTC."),
    }
    return strict_object(properties, ["days"])


def _chat_properties(types: TypeSchemas) -> dict[str, Schema]:
    properties = {}
    for name, schema in types.properties(ChatMetrics).items():
        doc = schema.get("description")
        if name in {"started_at", "ended_at"}:
            properties[name] = _TIME_OF_DAY
        elif name == "agents":
            properties[name] = described(array_of(TEXT), doc)
        elif name == "response_seconds":
            properties["responses"] = described(_COUNT, doc)
            properties["response_seconds_median"] = _NUMBER_OR_NULL
            properties["response_seconds_p90"] = _NUMBER_OR_NULL
        elif name == "form_answer_seconds":
            properties["form_answer_seconds_median"] = described(_NUMBER_OR_NULL, doc)
        elif name in _COUNTED:
            counts = strict_object(dict.fromkeys(_COUNTED[name], _COUNT))
            properties[name] = described(counts, doc)
        else:
            properties[name] = schema
    return properties


def _agent_properties() -> dict[str, Schema]:
    docs = field_docs(AgentInChat)
    return {
        "party_id": TEXT,
        "display_name": _TEXT_OR_NULL,
        "chats": _COUNT,
        "messages": _COUNT,
        "handle_seconds": described(_NUMBER, docs.get("handle_seconds")),
        "first_response_seconds_median": described(
            _NUMBER_OR_NULL, docs.get("first_response_seconds")
        ),
    }


def _totals_object() -> dict[str, Schema]:
    """Return the properties of totals: those of no chats have all names."""
    return {
        name: _COUNT if isinstance(value, int) else _NUMBER_OR_NULL
        for name, value in MetricsReport().totals().items()
    }


# Exports: `chatfsm.replay.export`.


def export_row() -> Schema:
    """Return the schema of a row of `chatfsm export`, as JSON: its columns."""
    types = TypeSchemas(lambda _types, _kind: None)
    properties = {
        column.name: described(
            types.of(column.type | None if column.is_optional else column.type), column.doc
        )
        for column in COLUMNS
    }
    properties["at"]["format"] = "date-time"
    properties["kind"] = {**properties["kind"], "enum": [*KINDS]}
    return strict_object(properties)
