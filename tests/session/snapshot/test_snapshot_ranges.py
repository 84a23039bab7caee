"""Ranges of the values of a snapshot, with a digest that fits them."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import fields

from chatfsm import ChatSession, SnapshotError, decode
from chatfsm._session import snapshot
from chatfsm._session.state import Counts

LARGEST = 10**18 - 1
COUNTS = {known.name for known in fields(Counts)}


def changed(**values: Any) -> dict[str, Any]:
    """Return a snapshot with other values in its memory, and the digest of these.

    Counts are grouped in a snapshot.
    """
    session = ChatSession("chat-1")
    for event in decode([{"event": "chat_session_cobrowsing_requested", "msg_id": "4"}]):
        session.receive(event, now=1.0)
    data = session.snapshot(now=1.0)
    memory = {**data["memory"], **{name: values[name] for name in values if name not in COUNTS}}
    memory["counts"] = {**memory["counts"], **{n: values[n] for n in values if n in COUNTS}}
    return {**data, "memory": memory, "digest": snapshot._digest(memory)}


@pytest.mark.parametrize("name", ["events", "effects", "late", "next_number"])
def test_the_largest_number_is_restored(name: str) -> None:
    """Numbers of a session end below 10^18."""
    memory = ChatSession.restore(changed(**{name: LARGEST}), now=0.0).snapshot(now=0.0)["memory"]
    assert {**memory, **memory["counts"]}[name] == LARGEST


@pytest.mark.parametrize("name", ["events", "effects", "late", "next_number"])
@pytest.mark.parametrize("number", [LARGEST + 1, -1])
def test_a_number_out_of_range_is_refused(name: str, number: int) -> None:
    """A session could never have counted so far, nor below 0."""
    with pytest.raises(SnapshotError, match="out of range"):
        ChatSession.restore(changed(**{name: number}), now=0.0)


@pytest.mark.parametrize("state", ["", "nonsense", "Requested"])
def test_a_cobrowsing_state_that_does_not_exist_is_refused(state: str) -> None:
    """The table of the co-browsing states has no row for it."""
    service = {**changed()["memory"]["service"], "cobrowsing": state}
    with pytest.raises(SnapshotError, match="cobrowsing"):
        ChatSession.restore(changed(service=service), now=0.0)
