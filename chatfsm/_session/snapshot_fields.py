"""Snapshot fields: a session's state as plain JSON and back, by the hooks of one cattrs converter.

The annotations in `state` select the hooks. A value that no snapshot holds is refused with a text
that names the field, but quotes no text: a snapshot holds what people wrote (law L10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from math import fsum, inf, isfinite
from operator import attrgetter
from typing import Any, Final, Literal, NoReturn, cast, get_args, get_origin

from attrs import fields
from cattrs import Converter, transform_error
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from chatfsm._plain import json_safe
from chatfsm._session.duplicates import MAX_PLAIN_LENGTH
from chatfsm._session.state import (
    LARGEST,
    Counts,
    Fingerprint,
    JoinTimes,
    MessageKey,
    Scope,
    SeenIds,
    ServerTime,
    SessionState,
    SessionTime,
    quoted,
)
from chatfsm._statemachine import TransitionTable
from chatfsm.models import Form, Party

__all__ = ["error_text", "read_state", "write_state"]

_converter: Final = Converter(
    omit_if_default=True, forbid_extra_keys=True, unstruct_collection_overrides={tuple: list}
)
# The time of the call under way, because a hook takes only a value and its type.
_now: Final[ContextVar[float]] = ContextVar("now")

_COUNTS: Final = tuple(known.name for known in fields(Counts))
# These follow from the other fields, so no snapshot holds them.
_DERIVED: Final = tuple(known.name for known in fields(SessionState) if not known.eq)


def write_state(memory: SessionState, now: float) -> dict[str, Any]:
    """Return the state as plain JSON, without the fields that have their default value."""
    token = _now.set(now)
    try:
        body: dict[str, Any] = _converter.unstructure(memory, SessionState)
    finally:
        _now.reset(token)
    body["counts"] = {name: body.pop(name) for name in _COUNTS if name in body}
    return body


def read_state(body: Mapping[str, Any], now: float) -> SessionState:
    """Return the state that `write_state` wrote, with its session times on the clock of `now`.

    Raises whatever cattrs raises; `error_text` explains it.
    """
    flat = {**body}
    counts = flat.pop("counts", None)
    if not isinstance(counts, dict) or not counts.keys() <= {*_COUNTS}:
        _refuse(f"an object whose counts are {', '.join(_COUNTS)}", counts)
    token = _now.set(now)
    try:
        return _converter.structure({**counts, **flat}, SessionState)
    finally:
        _now.reset(token)


def error_text(error: Exception) -> str:
    """Return why `read_state` raised an error: which field, and what it must be."""
    texts = (text.rpartition(" @ ") for text in transform_error(error, "memory", _reason))
    return "; ".join(f"{path} {reason}" for reason, _, path in texts)


class _InvalidValueError(ValueError):
    """A value that no snapshot holds in its place."""


def _reason(error: BaseException, _type: object) -> str:
    if isinstance(error, ForbiddenExtraKeysError):
        return f"has the unknown field {quoted(min(error.extra_fields))}"
    if isinstance(error, KeyError):
        return "is missing"
    return str(error) if isinstance(error, _InvalidValueError) else "has another type"


_KINDS: Final[dict[type, str]] = {str: "a text", list: "a list", dict: "an object"}


def _refuse(wanted: str, value: object) -> NoReturn:
    is_plain = value is None or isinstance(value, (bool, int, float))
    shown = f"{value!r:.40}" if is_plain else _KINDS.get(type(value), type(value).__name__)
    raise _InvalidValueError(f"must be {wanted}, not {shown}")


# Plain values, written as they are.


def _text(value: Any, _type: object = None) -> str:
    return value if isinstance(value, str) else _refuse("a text", value)


def _flag(value: Any, _type: object = None) -> bool:
    return value if isinstance(value, bool) else _refuse("true or false", value)


def _integer(value: Any, _type: object = None) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    _refuse("an integer", value)


def _number(value: Any, _type: object = None) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and -LARGEST <= value <= LARGEST:
        return cast("float", value)
    _refuse("a finite number", value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else _refuse("a list", value)


def _parts(value: Any, *names: str) -> list[Any]:
    """Return a list that has exactly these parts."""
    if isinstance(value, list) and len(value) == len(names):
        return value
    _refuse(f"a list of {', '.join(names)}", value)


def _one_of(texts: Iterable[str]) -> Callable[[Any, object], str]:
    known = tuple(texts)
    wanted = f"one of {', '.join(known)}"
    return lambda value, _type: value if value in known else _refuse(wanted, value)


# Times.


def _session_time_out(at: float) -> list[float]:
    """Return the seconds from now and their rounding error, so that the sum is exactly `at`."""
    now = _now.get()
    left = at - now
    back = at - left
    return [left, (at - (left + back)) - (now - back)]


def _session_time_in(value: Any, _type: object = None) -> float:
    left, lost = _parts(value, "seconds from now", "rounding error")
    return fsum((_now.get(), _number(left), _number(lost)))


def _server_time_out(at: float) -> float | str:
    return at if isfinite(at) else str(at)


def _server_time_in(value: Any, _type: object = None) -> float:
    return inf if value == "inf" else _number(value)


def _join_times_out(at: JoinTimes) -> Any:
    return [*at] if isinstance(at, tuple) else at


def _join_times_in(value: Any, _type: object = None) -> JoinTimes:
    if not isinstance(value, list):
        return None if value is None else _number(value)
    first, last = _parts(value, "first join", "last join")
    return _number(first), _number(last)


# Collections. A dict becomes a list of pairs, because its order counts and JSON keeps none.


def _pairs_out(cls: Any) -> Callable[[Any], Any]:
    write = _converter.get_unstructure_hook(get_args(cls)[1])
    return lambda values: [[key, write(value)] for key, value in values.items()]


def _pairs_in(cls: Any) -> Callable[[Any, object], Any]:
    item_type = get_args(cls)[1]
    read = _converter.get_structure_hook(item_type)

    def pairs(value: Any, _type: object) -> dict[str, Any]:
        rows = (_parts(row, "key", "value") for row in _list(value))
        return {_text(key): read(item, item_type) for key, item in rows}

    return pairs


def _tuple_in(cls: Any) -> Callable[[Any, object], Any]:
    item_type = get_args(cls)[0]
    read = _converter.get_structure_hook(item_type)
    return lambda value, _type: tuple([read(item, item_type) for item in _list(value)])


def _opaque_in(value: Any, _type: object) -> Any:
    return json_safe(value) if isinstance(value, dict) else _refuse("an object", value)


_PARTY: Final = tuple(known.name for known in fields(Party))
_party_values: Final = attrgetter(*_PARTY)


def _party_out(party: Party) -> list[str | None]:
    return [*_party_values(party)]


def _party_in(value: Any, _type: object) -> Party:
    party_id, *names = _parts(value, *_PARTY)
    return Party(_text(party_id), *(None if name is None else _text(name) for name in names))


# Fingerprints and seen ids, which are most of a snapshot and nearly all texts: a row has a scope,
# the list of its keys, and the list of their fingerprints.

_DIGEST: Final = "the digest of a longer text, in hexadecimal: "
# The id of a party may be a fingerprint, too, and be longer than a content that is kept as it is.
_LONG: Final = "as it came: "


def _fingerprint_out(content: Fingerprint) -> str:
    if isinstance(content, bytes):
        return _DIGEST + content.hex()
    return content if len(content) <= MAX_PLAIN_LENGTH else _LONG + content


def _fingerprint_in(value: Any, _type: object = None) -> Fingerprint:
    if len(_text(value)) <= MAX_PLAIN_LENGTH:
        return str(value)
    if value.startswith(_LONG):
        return str(value[len(_LONG) :])
    if value.startswith(_DIGEST):
        with suppress(ValueError):
            return bytes.fromhex(value[len(_DIGEST) :])
    _refuse(f"a text of at most {MAX_PLAIN_LENGTH} characters, or {_DIGEST}…", value)


def _seen_out(seen: SeenIds) -> list[list[Any]]:
    return [
        [
            [*scope] if isinstance(scope, tuple) else scope,
            [key if key.__class__ is str else _key_out(key) for key in ids],
            [
                content
                if content.__class__ is str and len(content) <= MAX_PLAIN_LENGTH
                else _fingerprint_out(content)
                for content in ids.values()
            ],
        ]
        for scope, ids in seen.items()
    ]


def _seen_in(value: Any, _type: object) -> SeenIds:
    seen: SeenIds = {}
    for row in _list(value):
        scope, keys, contents = _parts(row, "scope", "ids", "fingerprints")
        if len(_list(keys)) != len(_list(contents)) or not _are_texts(contents):
            _refuse("as many texts as there are ids", contents)
        ids = dict(zip(_keys_in(keys), contents, strict=True))
        for key, content in ids.items():
            if len(content) > MAX_PLAIN_LENGTH:
                ids[key] = _fingerprint_in(content)
        seen[_scope_in(scope)] = ids
    return seen


def _are_texts(values: list[Any]) -> bool:
    """Whether all are texts: joining them is the fastest way to know."""
    try:
        "".join(values)
    except TypeError:
        return False
    return True


def _keys_in(values: list[Any]) -> list[MessageKey]:
    return values if _are_texts(values) else [_key_in(value) for value in values]


def _scope_in(value: Any) -> Scope:
    if value is None or isinstance(value, str):
        return value
    kind, party_id = _parts(value, "kind", "party id")
    return _text(kind), None if party_id is None else _text(party_id)


def _key_out(key: MessageKey) -> Any:
    if isinstance(key, str):
        return key
    msg_id, content, *at = key
    return [msg_id, _fingerprint_out(content), *at]


def _key_in(value: Any) -> MessageKey:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value[:1] == [None]:
        _, content, at = _parts(value, "null", "fingerprint", "time")
        return None, _fingerprint_in(content), None if at is None else _number(at)
    msg_id, content = _parts(value, "id", "fingerprint")
    return _text(msg_id), _fingerprint_in(content)


# Classes that differ from their annotations.


def _class_out(cls: Any) -> Callable[[Any], dict[str, Any]]:
    return make_dict_unstructure_fn(
        cls, _converter, _cattrs_omit_if_default=True, **_overrides(cls)
    )


def _class_in(cls: Any) -> Callable[[Any, Any], Any]:
    return make_dict_structure_fn(cls, _converter, **_overrides(cls))


def _overrides(cls: type) -> dict[str, Any]:
    if cls is Form:  # public, so its annotation does not say on which clock the deadline is
        return {"deadline": override(unstruct_hook=_session_time_out, struct_hook=_session_time_in)}
    return dict.fromkeys(_DERIVED, override(omit=True))


# The hooks by type; cattrs asks those first that are registered last.

Test = Callable[[Any], bool]


def _is(known: Any) -> Test:
    return lambda cls: cls == known


def _has_origin(origin: Any) -> Test:
    return lambda cls: get_origin(cls) is origin


def _is_table_state(cls: Any) -> bool:
    return any(isinstance(known, TransitionTable) for known in getattr(cls, "__metadata__", ()))


_FACTORIES: Final[tuple[tuple[Test, Callable[[Any], Any] | None, Callable[[Any], Any]], ...]] = (
    (_has_origin(dict), _pairs_out, _pairs_in),
    (_has_origin(tuple), None, _tuple_in),
    (_has_origin(Literal), None, lambda cls: _one_of(get_args(cls))),
    (_is_table_state, None, lambda cls: _one_of(cls.__metadata__[0].states)),
    (_is(Form), _class_out, _class_in),
    (_is(SessionState), _class_out, _class_in),
)
_HOOKS: Final[tuple[tuple[Any, Callable[[Any], Any] | None, Callable[[Any, object], Any]], ...]] = (
    (str, None, _text),
    (bool, None, _flag),
    (int, None, _integer),
    (float, None, _number),
    (Party, _party_out, _party_in),
    (SessionTime, _session_time_out, _session_time_in),
    (ServerTime, _server_time_out, _server_time_in),
    (JoinTimes, _join_times_out, _join_times_in),
    (Fingerprint, _fingerprint_out, _fingerprint_in),
    (SeenIds, _seen_out, _seen_in),
    (dict[str, Any], json_safe, _opaque_in),
    (Mapping[str, object], json_safe, _opaque_in),
)

for _matches, _writer, _reader in _FACTORIES:
    if _writer is not None:
        _converter.register_unstructure_hook_factory(_matches, _writer)
    _converter.register_structure_hook_factory(_matches, _reader)
for _known, _write, _read in _HOOKS:
    _is_class = isinstance(_known, type)  # cattrs finds all others by a test
    if _write is not None and _is_class:
        _converter.register_unstructure_hook(_known, _write)
    elif _write is not None:
        _converter.register_unstructure_hook_func(_is(_known), _write)
    if _is_class:
        _converter.register_structure_hook(_known, _read)
    else:
        _converter.register_structure_hook_func(_is(_known), _read)
