"""The naive polling loop: its correct behaviour and its typical errors."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from chatfsm._cli import naive_client


class ScriptedLoop:
    """A loop with scripted replies, and the rows that it shows."""

    def __init__(self, *replies: object) -> None:
        self.replies = list(replies)
        self.requests: list[tuple[str, Any]] = []
        self.rows: list[tuple[str, str, str]] = []
        self.loop = naive_client.PollingLoop("http://127.0.0.1/chats?tenantUrl=t", {}, self.show)
        self.loop.call = self.call  # type: ignore[method-assign]  # no network here

    def show(self, what: str, who: str, text: str) -> None:
        self.rows.append((what, who, text))

    def call(self, method: str, body: Any = None) -> Any:
        self.requests.append((method, body))
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naive_client, "_PAUSE", 0.0)


def event(word: str, **fields: Any) -> dict[str, Any]:
    return {"event": f"chat_session_{word}", **fields}


JOINED = event("party_joined", party_id="P", display_name="Pilar")
HELLO = event("message", party_id="P", msg="Hello!", msg_id="2")
ENDED = event("ended")


def test_without_faults_the_loop_is_correct() -> None:
    """Without faults the loop shows parties and messages, clears typing, and stops at the end."""
    typing = event("typing", party_id="P")
    screen = ScriptedLoop(
        {"chat_id": "C"}, {"events": [JOINED, typing, HELLO]}, {"events": [ENDED]}
    )
    screen.loop.run()
    assert screen.rows == [
        ("joined", "Pilar", ""),
        ("typing", "Pilar", "…"),
        ("message", "Pilar", "Hello!"),
        ("over", "", "ended"),
    ]
    assert screen.loop.url == "http://127.0.0.1/chats/C/events?tenantUrl=t"
    assert screen.loop.typing == set()
    assert [method for method, _ in screen.requests] == ["POST", "GET", "GET"]


def test_typing_is_cleared_by_its_event() -> None:
    """An agent who stops typing is shown as stopped, so that the comparison is fair."""
    screen = ScriptedLoop()
    for item in (JOINED, event("typing", party_id="P"), event("not_typing", party_id="P")):
        screen.loop.on_event(item)
    assert screen.loop.typing == set()
    assert screen.rows[-1] == ("typing", "Pilar", "stopped")


def test_a_repeated_message_is_shown_twice() -> None:
    """A cached poll doubles its messages."""
    screen = ScriptedLoop({"chat_id": "C"}, *[{"events": [HELLO]}] * 2, {"events": [ENDED]})
    screen.loop.run()
    assert screen.loop.messages == ["Hello!", "Hello!"]


def test_a_post_that_fails_is_posted_again() -> None:
    """The loop posts the same message again until a POST succeeds."""
    screen = ScriptedLoop(ConnectionResetError(), {})
    screen.loop.send_text("Is anybody there?")
    [(_, first), (_, second)] = screen.requests
    assert first == second == {"events": [event("message", msg="Is anybody there?", msg_id="1")]}
    assert screen.rows == [("again", "customer", "Is anybody there?")]


def test_it_gives_up_after_five_posts() -> None:
    """The loop stops posting after five failures."""
    screen = ScriptedLoop(*[OSError()] * 9)
    screen.loop.send_text("Is anybody there?")
    assert len(screen.requests) == 5


def test_the_events_of_a_failed_poll_are_lost() -> None:
    """After a failed poll the loop polls again, and requests no history."""
    screen = ScriptedLoop({"chat_id": "C"}, ValueError("no JSON"), {"events": [ENDED]})
    screen.loop.run()
    assert [method for method, _ in screen.requests] == ["POST", "GET", "GET"]
    assert screen.loop.messages == []


def test_it_knows_one_end_only() -> None:
    """An expired form stays open, and other kinds of end are not recognized."""
    screen = ScriptedLoop()
    screen.loop.on_event(
        event("form_show", form_request_id="1", form_name="notes", form_timeout="1")
    )
    screen.loop.on_event(event("inactivity_timeout"))
    assert screen.loop.forms == ["notes"]
    assert not screen.loop.is_over


def test_it_uses_nothing_of_chatfsm() -> None:
    """The loop needs only the standard library and the documentation of the API."""
    tree = ast.parse(Path(naive_client.__file__).read_text("utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported
    assert not any(str(module).startswith("chatfsm") for module in imported)
