"""Inputs that a fuzzer has found, each with the check that it broke."""

from __future__ import annotations

import pytest

from tests.fuzz.targets import TARGETS

FOUND: dict[str, tuple[str, bytes]] = {
    "a change whose fields are a list": (
        "record",
        b'{"format": "chatfsm.chat", "at": 1}\n{"fields": ["at"]}\n{"value": 1}\n',
    ),
    "a version that is a list": ("record", b'{"format": "chatfsm.chat", "version": [1]}\n'),
    "an infinite number in a journal": (
        "journal",
        b'{"v":1,"chat_id":"c","seq":0,"at":1,"in":{"input":"ended","timestamp":NaN},"out":[]}\n',
    ),
    "a carriage return in what might be a header": ("scrub", b"event\rchat_id,state\n1\n"),
}


@pytest.mark.parametrize("name", FOUND)
def test_a_found_input_passes(name: str) -> None:
    """An input that once broke the check of a target passes it."""
    target, data = FOUND[name]
    TARGETS[target].check(data)
