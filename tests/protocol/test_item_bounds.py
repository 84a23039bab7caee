"""Law L6: the work for one text is bounded; a text beyond the bound is an error, or `Malformed`."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import DecodeError, decode, decode_lines, events
from chatfsm._protocol.codec import MAX_ATTACHMENTS, MAX_ITEMS

JUNK = [b"0", b"{}", b'{"event":"x"}', b"[]", b'{"event":"chat_session_typing","party_id":"a"}']


def batch(item: bytes, count: int) -> bytes:
    """An envelope of equal items."""
    return b'{"events":[' + b",".join([item] * count) + b"]}"


@pytest.mark.parametrize("item", JUNK, ids=repr)
def test_a_text_of_too_many_items_is_refused(item: bytes) -> None:
    """The bound holds for text and for parsed JSON; a text at the bound is decoded."""
    assert len(decode(batch(item, MAX_ITEMS))) == MAX_ITEMS
    with pytest.raises(DecodeError, match="100,001 items, more than 100,000"):
        decode(batch(item, MAX_ITEMS + 1))
    with pytest.raises(DecodeError, match="more than 100,000"):
        decode([0] * (MAX_ITEMS + 1))


def test_a_line_of_too_many_items_is_malformed() -> None:
    """The line gives one `Malformed` with the line in `raw`; the other lines are decoded."""
    hello = b'{"event":"chat_session_ended"}'
    line = batch(b"0", 1_000_000)
    first, broken, last = decode_lines(b"\n".join([hello, line, hello]))
    assert first == last == events.Ended()
    assert isinstance(broken, events.Malformed)
    assert broken.why == "1,000,000 items, more than 100,000"
    assert broken.raw == line.decode()


def test_four_million_items_are_refused() -> None:
    """Such a text is parsed, and no events are made of it."""
    with pytest.raises(DecodeError):
        decode(batch(b"0", 4_000_000))


def test_attachments_are_bounded() -> None:
    """Attachments beyond the bound are kept unchanged and not decoded."""

    def message(count: int) -> dict[str, Any]:
        return {"event": "chat_session_message", "msg": "hi", "attachments": [{}] * count}

    (event,) = decode(message(MAX_ATTACHMENTS))
    assert isinstance(event, events.Message)
    assert len(event.attachments) == MAX_ATTACHMENTS
    (event,) = decode(message(MAX_ATTACHMENTS + 1))
    assert isinstance(event, events.Message)
    assert (event.msg, event.attachments) == ("hi", ())
    assert event.extra == {"attachments": [{}] * (MAX_ATTACHMENTS + 1)}
