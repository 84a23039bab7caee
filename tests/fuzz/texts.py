"""Targets that read JSON: `decode` and `decode_lines`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

from attrs import fields

from chatfsm import DecodeError, decode, encode, events
from chatfsm._protocol import json_input
from chatfsm._protocol.codec import decode_item
from chatfsm._protocol.lines import decode_lines

__all__ = ["LOGS", "check_decode", "check_decode_lines", "log_seeds"]

LOGS: Final = Path(__file__).resolve().parents[1] / "logs"
_EVENTS: Final = frozenset(get_args(events.Event))


def log_seeds() -> Iterator[bytes]:
    """Yield the recorded logs."""
    for path in sorted(LOGS.iterdir()):
        if path.suffix in {".json", ".jsonl"}:
            yield path.read_bytes()


def line_seeds() -> Iterator[bytes]:
    """Yield the recorded logs and their lines."""
    for seed in log_seeds():
        yield seed
        yield from seed.splitlines()


def check_decode(data: bytes) -> None:
    """Check that only `DecodeError` is raised, and that all forms of the JSON give equal events."""
    try:
        found = decode(data)
    except DecodeError:
        assert _without_orjson(data) is None, "orjson is refused what the standard library reads"
        return
    for event in found:
        _check_event(event)
    assert _contents(_without_orjson(data)) == _contents(found), "orjson gives other events"
    value: Any = json_input.parse(data)
    assert _contents(decode(value)) == _contents(found), "parsed JSON gives other events"
    items = value if isinstance(value, list) else [value] if "event" in value else value["events"]
    alone = [decode_item(item) for item in items]
    assert _contents(alone) == _contents(found), "an item changes its neighbours"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    if "\0" not in text:  # else the bytes are not UTF-8
        assert _contents(decode(text)) == _contents(found), "text gives other events"


def _without_orjson(data: bytes) -> list[events.Event] | None:
    """Return the events, parsed with the standard library; None if it refuses the text."""
    loads, json_input._loads = json_input._loads, None
    try:
        return decode(data)
    except DecodeError:
        return None
    finally:
        json_input._loads = loads


def check_decode_lines(data: bytes) -> None:
    """Check that nothing is raised, and that the events are those of each line alone."""
    together = decode_lines(data)
    alone: list[events.Event] = []
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            alone += decode(line)
        except DecodeError as error:
            text = line.decode("utf-8", "backslashreplace").rstrip("\r")
            alone.append(events.Malformed(None, text, str(error)))
    assert _contents(together) == _contents(alone), "lines together give other events"
    for event in together:
        _check_event(event)


def _check_event(event: Any) -> None:
    assert type(event) in _EVENTS
    assert isinstance(hash(event), int)
    assert isinstance(repr(event), str)
    assert event.timestamp is None or 0 <= event.timestamp < 1e11
    if isinstance(event, events.Malformed):
        assert event.why
    try:
        encode(event)
    except TypeError:
        return
    raise AssertionError("an event was encoded as a command")


def _contents(found: list[Any] | None) -> str:
    """Return events as a text, in which a NaN equals itself."""
    return repr(
        found and [(type(e), [getattr(e, known.name) for known in fields(type(e))]) for e in found]
    )
