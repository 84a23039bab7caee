"""DESIGN L6: a forged snapshot is refused with `SnapshotError`, or restores a working client."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import ChatError, SnapshotError, Tick, decode
from chatfsm import commands as c
from chatfsm._client.client import ChatClient
from chatfsm._client.snapshot import _digest
from chatfsm.settings import ClientSettings, Settings
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.client.conftest import ClientHarness, endpoint
from tests.client.test_posting import FORM, SECURE
from tests.session.snapshot.test_snapshot_tampered import json_values, paths_of, value_at


def busy_client() -> dict[str, Any]:
    """Return a snapshot with a value in each field."""
    chat = ClientHarness().open_chat(state="connected")
    chat.reply_poll(
        FORM, SECURE, {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}
    )
    chat.send_text("a")
    chat.send_text("b")
    chat.receive(c.SubmitForm("7", {"age": "44"}))
    chat.fail("post", at=1.0)
    chat.receive(c.StartTyping())
    data: dict[str, Any] = json.loads(json.dumps(chat.client.snapshot(now=1.0)))
    return data


def ending_client() -> dict[str, Any]:
    """Return a snapshot with an end that is held back."""
    chat = ClientHarness().open_chat(state="connected")
    chat.send_text("a")
    chat.reply_poll({"event": "ended"}, at=1.0)
    data: dict[str, Any] = json.loads(json.dumps(chat.client.snapshot(now=1.0)))
    return data


KEPT = [busy_client(), ending_client()]
PLACES = [(data, path) for data in KEPT for path in paths_of(data) if path[:1] == ("client",)]
NEWS = decode(
    [
        {"event": "chat_session_party_left", "party_id": "ann"},
        {"event": "chat_session_form_show", "form_request_id": "9", "form_name": ""},
        {"event": "chat_session_cobrowsing_requested", "msg_id": "4"},
        *({"event": "chat_session_message", "msg": "x", "msg_id": str(n)} for n in range(9)),
    ]
)


def forged(data: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return the snapshot with one value changed, and matching digests."""
    changed = deepcopy(data)
    if len(path) == 1:
        return changed
    value_at(changed, path[:-1])[path[-1]] = value
    session = changed["client"].get("session")
    if isinstance(session, dict) and isinstance(session.get("memory"), dict):
        from chatfsm._session import snapshot  # noqa: PLC0415  # only this test needs the digest

        session["digest"] = snapshot._digest(session["memory"])
    changed["digest"] = _digest(changed["client"])
    return changed


def run_to_the_end(client: ChatClient) -> None:
    """Run the client to its end; only refusals may be raised."""
    now = 5.0
    orders = iter(
        [
            *(c.SendText("x"), c.SubmitForm("7", {}), c.StartTyping(), c.SendFile("f", "image")),
            *(c.CobrowsingReply("started"), c.CancelForm("8"), c.SendText("y"), c.End()),
        ]
    )
    waiting: list[HttpRequest] = []
    for turn in range(40):
        items: list[Any] = [Tick()]
        if waiting:
            request = waiting.pop(0)
            events = [{"event": "chat_session_message", "msg": "z", "msg_id": str(turn)}]
            body = json.dumps({"events": events if turn < 30 else []}).encode()
            if turn == 35:
                body = b'{"events":[{"event":"chat_session_ended"}]}'
            lost = turn % 7 == 3
            reply = HttpReply(request.id, 200, {}, body)
            items.append(HttpFailure(request.id, "protocol") if lost else reply)
        items += [order for order in [next(orders, None)] if order is not None]
        for item in items:
            try:
                effects = client.receive(item, now=now)
            except ChatError:
                continue
            waiting += [effect for effect in effects if isinstance(effect, HttpRequest)]
        client.health(now)
        json.dumps(client.snapshot(now=now), allow_nan=False)
        deadline = client.deadline
        now = max(now, now if deadline is None else min(deadline, now + 1e6))


ODD = st.sampled_from([-1, 0, 1e308, -1e308, 10**17, 10**400, "..", "ended"])


ELSEWHERE = st.sampled_from(PLACES).map(lambda place: deepcopy(value_at(*place)))


@given(st.sampled_from(PLACES), json_values | ODD | ELSEWHERE)
def test_a_forged_snapshot_is_refused_or_works(place: Any, value: Any) -> None:
    """Each place gets each value, also in the session's part."""
    data, path = place
    try:
        changed = forged(data, path, value)
    except (ValueError, TypeError):  # the value has no digest
        return
    settings = ClientSettings(session=Settings(max_ids=4))
    try:
        client = ChatClient.restore(changed, endpoint(), settings=settings, now=5.0)
    except SnapshotError:
        return
    run_to_the_end(client)


def test_unchanged_snapshots_work() -> None:
    """The unchanged snapshots restore a working client."""
    for data in KEPT:
        client = ChatClient.restore(data, endpoint(), now=5.0)
        run_to_the_end(client)
        assert client.done


@pytest.mark.parametrize("depth", [100, 300, 600, 950, 3_000])
@pytest.mark.parametrize("name", ["queue", "session", "poll_timer", "ending", "more"])
def test_a_deep_value_is_refused(name: str, depth: int) -> None:
    """A value nested deeper than the digest, or than a copy of it, can handle is refused."""
    deep: Any = 0
    for _ in range(depth):
        deep = [deep]
    data = deepcopy(KEPT[0])
    data["client"][name] = deep
    try:
        data["digest"] = _digest(data["client"])
    except RecursionError:
        data["digest"] = "0" * 32
    with pytest.raises(SnapshotError):
        ChatClient.restore(data, endpoint(), now=0.0)


CONTRADICTIONS: list[tuple[str, Any, str]] = [
    ("link", "over", "link is over before the end"),
    ("poll", "closed", "poll is closed"),
    ("post", "idle", "a batch has no POST"),
    ("post", "in_flight", "POSTs are pending"),
    ("session", None, "there is no session"),
    ("next_request_id", 0, "next_request_id was used"),
    ("pending", [[99, "poll"]], "next_request_id was used"),
    ("ignored_replies", -1, "a count is negative"),
    ("token", "a:b", "token is no token"),
    ("pending", [[1, "post"], [2, "post"]], "POSTs are pending"),
    ("queue", [{"events": [], "msg_id": None, "queued_at": 0.0}], "cannot be posted"),
    ("queue", [{"events": [{}], "msg_id": None, "queued_at": 0.0}], "cannot be posted"),
    ("polled_at", 1e999, "digest"),
]


@pytest.mark.parametrize(("name", "value", "why"), CONTRADICTIONS, ids=lambda it: str(it)[:20])
def test_fields_that_contradict_each_other_are_refused(name: str, value: Any, why: str) -> None:
    """Each value is valid beside others; the error names the field."""
    data = deepcopy(KEPT[0])
    data["client"][name] = value
    try:
        data["digest"] = _digest(data["client"])
    except ValueError:
        assert why == "digest"
    with pytest.raises(SnapshotError, match=why):
        ChatClient.restore(data, endpoint(), now=0.0)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("poll", "due", "there is no session"),
        ("history", "due", "there is no session"),
        ("post", "in_flight", "there is no session"),
        ("queue", [{"events": [{"event": "x"}], "msg_id": None, "queued_at": 0.0}], "no session"),
        ("ending", {"kind": "ended", "deadline": 5.0}, "there is no session"),
        ("link", "over", "link is over without a session"),
    ],
)
def test_without_a_session_nothing_is_in_flight(name: str, value: Any, why: str) -> None:
    """A client without a session neither polls nor posts, and is not over."""
    data = json.loads(json.dumps(ClientHarness().client.snapshot(now=0.0)))
    data["client"][name] = value
    data["digest"] = _digest(data["client"])
    with pytest.raises(SnapshotError, match=why):
        ChatClient.restore(data, endpoint(), now=0.0)


@pytest.mark.parametrize(
    "path",
    [
        *(("isolate_count",), ("credentials_version",), ("ignored_replies",)),
        *((timer, "failures") for timer in ("poll_timer", "history_timer", "post_timer")),
        *((items, 0, "attempts") for items in ("queue", "batch")),
    ],
)
def test_no_count_is_negative(path: tuple[Any, ...]) -> None:
    """Negative counts are refused."""
    chat = ClientHarness().open_chat()
    chat.send_text("a")
    chat.send_text("b")
    data = json.loads(json.dumps(chat.client.snapshot(now=0.0)))
    place = data["client"]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = -1
    data["digest"] = _digest(data["client"])
    with pytest.raises(SnapshotError, match="a count is negative"):
        ChatClient.restore(data, endpoint(), now=0.0)
