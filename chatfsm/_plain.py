"""Values as plain JSON: dicts, lists, text, numbers, true, false and null, whatever came in.

What the wire brought unread (`raw`, `extra`) is made safe to write: text for numbers that JSON
does not have, a note in place of what is nested too deep.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final, get_args

from attrs import fields, has
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from chatfsm.models import ChatMessage, SharedFile, SharedLocation
from chatfsm.signaling import Signal

__all__ = ["canonical_json", "json_safe", "redact_secure_form", "snake_case", "to_plain"]

# json.dumps stops at about a thousand levels, less when called from deep inside a program.
_MAX_DEPTH: Final = 64
# str() of a larger int raises; 4,300 digits is the interpreter's own limit.
_MAX_BITS: Final = 4_300 * 3


def json_safe(value: object, levels: int = _MAX_DEPTH) -> object:
    """Any value as JSON that every reader takes; never raises."""
    if isinstance(value, (dict, list, tuple)):
        return _json_safe_container(value, levels)
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, int):
        return value if value.bit_length() < _MAX_BITS else "(a number too long to write)"
    return f"({type(value).__name__})"


def _json_safe_container(
    value: dict[Any, Any] | list[Any] | tuple[Any, ...], levels: int
) -> object:
    if levels == 0:
        return "(nested too deep to write)"
    if isinstance(value, dict):
        return {str(json_safe(key)): json_safe(item, levels - 1) for key, item in value.items()}
    return [json_safe(item, levels - 1) for item in value]


def redact_secure_form(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event on its way to the server, without what answers a secure form."""
    is_secret = "_secure_" in str(event.get("event")) and "data" in event
    plain: Any = json_safe(dict(event))
    return {**plain, "data": "(secure)"} if is_secret else plain


def snake_case(cls: type) -> str:
    """The name of a class as a word of JSON: `MessageReceived` is message_received."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()


_converter: Final = Converter()


def to_plain(value: object) -> dict[str, Any]:
    """The fields of an effect, or of what an effect speaks of, in the order of its class."""
    found: dict[str, Any] = _converter.unstructure(value)
    return found


def canonical_json(value: object) -> str:
    """The same as one line of JSON text, the same in every process: for comparing contents."""
    return json.dumps(to_plain(value), sort_keys=True)


def _unstructure_hook(cls: type) -> Callable[[Any], dict[str, Any]]:
    """Field by field; what the wire brought unread is made harmless."""
    unread: Any = {
        attribute.name: override(unstruct_hook=json_safe)
        for attribute in fields(cls)
        if attribute.name in {"raw", "extra"}
    }
    return make_dict_unstructure_fn(cls, _converter, **unread)


def _message(message: ChatMessage) -> dict[str, Any]:
    return {
        **_origin(message),
        "text": message.text,
        "html": message.html,
        "channel": message.event.channel,
        "attachments": [to_plain(attachment) for attachment in message.attachments],
        **_rest(message),
    }


def _file(file: SharedFile) -> dict[str, Any]:
    return {
        **_origin(file),
        "file_id": file.file_id,
        "file_type": file.file_type,
        "file_name": file.file_name,
        **_rest(file),
    }


def _location(location: SharedLocation) -> dict[str, Any]:
    return {
        **_origin(location),
        "latitude": location.latitude,
        "longitude": location.longitude,
        "url": location.url,
        **_rest(location),
    }


def _origin(shared: ChatMessage | SharedFile | SharedLocation) -> dict[str, Any]:
    return {
        "msg_id": shared.msg_id,
        "party_id": shared.party_id,
        "own": shared.own,
        "sender": None if shared.sender is None else to_plain(shared.sender),
    }


def _rest(shared: ChatMessage | SharedFile | SharedLocation) -> dict[str, Any]:
    return {"timestamp": shared.timestamp, "extra": json_safe(shared.event.extra)}


def _tagged_hook(cls: type) -> Callable[[Any], dict[str, Any]]:
    write = _unstructure_hook(cls)
    name = snake_case(cls)
    return lambda signal: {"signal": name, **write(signal)}


_converter.register_unstructure_hook_factory(has, _unstructure_hook)
_converter.register_unstructure_hook(ChatMessage, _message)
_converter.register_unstructure_hook(SharedFile, _file)
_converter.register_unstructure_hook(SharedLocation, _location)
for _cls in get_args(Signal):
    _converter.register_unstructure_hook(_cls, _tagged_hook(_cls))
