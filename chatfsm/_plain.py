"""Plain JSON: effects and their parts as dicts, lists, strings, numbers, booleans and None.

Unparsed data of the server (`raw`, `extra`) is made safe to write: text replaces numbers that JSON
does not have, and a note replaces values that are nested too deep.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from math import isfinite
from typing import Any, Final, get_args

from attrs import fields, has
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from chatfsm.models import ChatMessage, Form, SharedFile, SharedLocation
from chatfsm.signaling import Signal

__all__ = [
    "canonical_json",
    "json_safe",
    "json_text",
    "redact_secure_form",
    "snake_case",
    "to_plain",
]

# json.dumps allows about a thousand levels, fewer if the caller's stack is deep.
_MAX_DEPTH: Final = 64
# str() of an int raises above 4,300 digits, the interpreter's limit; a digit takes over 3 bits.
_MAX_BITS: Final = 4_300 * 3
# As json.dumps writes them: a backslash, a pair, or a lone one.
_SURROGATES: Final = re.compile(r"\\\\|\\ud[89ab]..\\ud[c-f]..|\\ud[89a-f]..")
_REPLACEMENT: Final = r"\ufffd"


def json_safe(value: object, levels: int = _MAX_DEPTH) -> object:
    """Return any value as valid JSON; never raises."""
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
    """Return an outgoing event as JSON, without the answers to a secure form."""
    is_secret = "_secure_" in str(event.get("event")) and "data" in event
    plain: Any = json_safe(dict(event))
    return {**plain, "data": "(secure)"} if is_secret else plain


def snake_case(cls: type) -> str:
    """Return the name of a class in snake case: message_received for `MessageReceived`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()


def to_plain(value: object) -> dict[str, Any]:
    """Return the fields of an effect, or of a value in one, in the order of its class."""
    plain: dict[str, Any] = _converter().unstructure(value)
    return plain


def canonical_json(value: object) -> str:
    """Return the same as one line of JSON text that is equal in every process."""
    return json.dumps(to_plain(value), sort_keys=True)


def json_text(value: object) -> str:
    """Return plain JSON as one line that strict parsers accept; U+FFFD replaces lone surrogates."""
    text = json.dumps(value)
    return _SURROGATES.sub(_without_lone_surrogate, text) if "\\ud" in text else text


def _without_lone_surrogate(escape: re.Match[str]) -> str:
    is_lone = len(escape[0]) == len(_REPLACEMENT)
    return _REPLACEMENT if is_lone else escape[0]


@cache
def _converter() -> Converter:
    """The converter of effects, made when the first one is written: many programs write none."""
    converter = Converter()
    unstructure_hook = partial(_unstructure_hook, converter=converter)
    converter.register_unstructure_hook_factory(has, unstructure_hook)
    write_form = unstructure_hook(Form)
    converter.register_unstructure_hook(Form, lambda form: _form_fields(form, write_form(form)))
    converter.register_unstructure_hook(ChatMessage, _message_fields)
    converter.register_unstructure_hook(SharedFile, _file_fields)
    converter.register_unstructure_hook(SharedLocation, _location_fields)
    for cls in get_args(Signal):
        converter.register_unstructure_hook(cls, _tagged_hook(cls, unstructure_hook(cls)))
    return converter


def _unstructure_hook(cls: type, converter: Converter) -> Callable[[Any], dict[str, Any]]:
    """Return a hook that writes each field, with `json_safe` for unparsed data."""
    unparsed: Any = {
        attribute.name: override(unstruct_hook=json_safe)
        for attribute in fields(cls)
        if attribute.name in {"raw", "extra"}
    }
    return make_dict_unstructure_fn(cls, converter, **unparsed)


def _message_fields(message: ChatMessage) -> dict[str, Any]:
    return {
        **_sender_fields(message),
        "text": message.text,
        "html": message.html,
        "channel": message.event.channel,
        "attachments": [to_plain(attachment) for attachment in message.attachments],
        **_trailing_fields(message),
    }


def _form_fields(form: Form, plain: dict[str, Any]) -> dict[str, Any]:
    if form.content is None:
        del plain["content"]
    return plain


def _file_fields(file: SharedFile) -> dict[str, Any]:
    return {
        **_sender_fields(file),
        "file_id": file.file_id,
        "file_type": file.file_type,
        "file_name": file.file_name,
        **({} if file.url is None else {"url": file.url}),
        **_trailing_fields(file),
    }


def _location_fields(location: SharedLocation) -> dict[str, Any]:
    return {
        **_sender_fields(location),
        "latitude": location.latitude,
        "longitude": location.longitude,
        "url": location.url,
        **_trailing_fields(location),
    }


def _sender_fields(shared: ChatMessage | SharedFile | SharedLocation) -> dict[str, Any]:
    return {
        "msg_id": shared.msg_id,
        "party_id": shared.party_id,
        "own": shared.own,
        "sender": None if shared.sender is None else to_plain(shared.sender),
    }


def _trailing_fields(shared: ChatMessage | SharedFile | SharedLocation) -> dict[str, Any]:
    return {"timestamp": shared.timestamp, "extra": json_safe(shared.event.extra)}


def _tagged_hook(
    cls: type, write: Callable[[Any], dict[str, Any]]
) -> Callable[[Any], dict[str, Any]]:
    name = snake_case(cls)
    return lambda signal: {"signal": name, **write(signal)}
