"""Targets that restore: a session, a client, and the state file of a driver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from chatfsm import ChatError, ChatSession, History, SnapshotError, Tick, commands, decode
from chatfsm._client.client import ChatClient
from chatfsm._client.snapshot import _digest as client_digest
from chatfsm._protocol.lines import decode_lines
from chatfsm._session.snapshot import _digest as session_digest
from chatfsm.api import RequestChat
from chatfsm.drivers import storage
from chatfsm.drivers._state_file import FileStore
from chatfsm.endpoint import Endpoint
from chatfsm.testing.invariants import check_restore
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.fuzz.texts import log_seeds

__all__ = [
    "ENDPOINT",
    "check_client",
    "check_record",
    "check_session",
    "client_seeds",
    "record_seeds",
    "session_seeds",
]

TOKEN: Final = "t0k"
ENDPOINT: Final = Endpoint(
    "https://chat.example.com", tenant_url="tenant.example", app_id="app", client_id="client"
)
_UNSIGNED: Final = (ValueError, TypeError, RecursionError, KeyError, AttributeError)
"""Errors of the digest functions for values that cannot be in a snapshot."""
NEWS: Final = decode(
    [
        {"event": "chat_session_party_left", "party_id": "ann"},
        {"event": "chat_session_form_show", "form_request_id": "9", "form_name": ""},
        {"event": "chat_session_signaling", "data": {"type": "OFFER_CALL", "sdp": "v=0"}},
        {"event": "chat_session_message", "msg": "x", "msg_id": "2", "party_id": "ann"},
        {"event": "chat_session_status", "state": "completed"},
    ]
)
ORDERS: Final = (
    commands.SendText("x"),
    commands.SubmitForm("9", {"a": "b"}),
    commands.StartTyping(),
    commands.CobrowsingReply("started"),
    commands.AnswerCall("v=0"),
    commands.CancelForm("1"),
    commands.SendText("y"),
    commands.End(),
)


def session_seeds() -> Iterator[bytes]:
    """Yield the memory of sessions in the middle and at the end of the recorded logs."""
    for seed in log_seeds():
        events = decode_lines(seed)
        session = ChatSession("chat-1", token=TOKEN)
        for at, event in enumerate(events):
            session.receive(event, now=float(at))
            if at == len(events) // 2:
                for order in ORDERS[:4]:
                    with suppress(ChatError):
                        session.receive(order, now=float(at))
                yield _memory(session, float(at))
        yield _memory(session, float(len(events)))


def _memory(session: ChatSession, now: float) -> bytes:
    return json.dumps(session.snapshot(now=now)["memory"]).encode()


def check_session(data: bytes) -> None:
    """Check that a forged snapshot raises `SnapshotError`, or gives a session that works."""
    memory = _parsed(data)
    try:
        digest = session_digest(memory) if isinstance(memory, dict) else ""
    except (ValueError, TypeError, RecursionError):
        digest = ""
    forged = {"format": "chatfsm.session", "version": 1, "memory": memory, "digest": digest}
    try:
        session = ChatSession.restore(forged, now=5.0)
    except SnapshotError:
        return
    check_restore(session, now=5.0)
    _check_works(session)


def _check_works(session: ChatSession) -> None:
    """Check that the session accepts inputs of all kinds, and raises nothing but refusals."""
    now = 5.0
    for item in (*NEWS, *ORDERS, History(tuple(NEWS)), *NEWS, Tick()):
        with suppress(ChatError):
            session.receive(item, now=now)
        now = min(session.deadline or now + 1.0, 1e9)
        assert session.deadline is None or session.deadline > 0 or now >= session.deadline
    assert isinstance(repr(session), str)
    json.dumps(session.snapshot(now=now), allow_nan=False)


def client_seeds() -> Iterator[bytes]:
    """Yield the bodies of clients in the middle of the recorded logs."""
    for seed in log_seeds():
        client = ChatClient(ENDPOINT, token=TOKEN)
        waiting: list[HttpRequest] = _requests(client.receive(RequestChat(), now=0.0))
        opened = json.dumps({"chat_id": "chat-1", "state": "queued", "is_new_chat": True})
        waiting += _requests(client.receive(_reply(waiting.pop(), opened.encode()), now=0.1))
        for order in (commands.SendText("a"), commands.StartTyping()):
            waiting += _requests(client.receive(order, now=0.2))
        yield _body(client, 0.3)
        with suppress(ValueError):
            items = [json.loads(line) for line in seed.splitlines()]
            polls = [request for request in waiting if request.purpose == "poll"]
            if polls:
                body = json.dumps({"events": items[: len(items) // 2]}).encode()
                client.receive(_reply(polls[0], body), now=0.4)
                client.receive(commands.SendText("b"), now=0.5)
                yield _body(client, 0.5)


def _requests(effects: list[Any]) -> list[HttpRequest]:
    return [effect for effect in effects if isinstance(effect, HttpRequest)]


def _reply(request: HttpRequest, body: bytes, status: int = 200) -> HttpReply:
    return HttpReply(request.id, status, {"content-type": "application/json"}, body)


def _body(client: ChatClient, now: float) -> bytes:
    return json.dumps(client.snapshot(now=now)["client"]).encode()


def check_client(data: bytes) -> None:
    """Check that a forged snapshot raises `SnapshotError`, or gives a client that works."""
    client = _restored(_parsed(data))
    if client is None:
        return
    now = 5.0
    waiting: list[HttpRequest] = []
    orders = iter(ORDERS)
    for turn in range(16):
        items: list[Any] = [Tick(), *([order] if (order := next(orders, None)) else [])]
        if waiting:
            request = waiting.pop(0)
            body = b'{"events":[{"event":"chat_session_ended"}]}' if turn == 14 else b"{}"
            items.append(
                HttpFailure(request.id, "timeout") if turn % 5 == 3 else _reply(request, body)
            )
        for item in items:
            with suppress(ChatError):
                waiting += _requests(client.receive(item, now=now))
        client.health(now)
        json.dumps(client.snapshot(now=now), allow_nan=False)
        now = max(now, min(client.deadline or now, now + 1e6))
    assert len(waiting) <= 64


def _restored(body: Any) -> ChatClient | None:
    forged = {"format": "chatfsm.client", "version": 1, "client": body, "digest": ""}
    _sign(forged)
    try:
        return ChatClient.restore(forged, ENDPOINT, now=5.0)
    except SnapshotError:
        return None


def _sign(forged: Any) -> None:
    """Forge the digests of a client's snapshot, and of the session's in it."""
    with suppress(*_UNSIGNED):
        session = forged["client"]["session"]
        session["digest"] = session_digest(session["memory"])
    with suppress(*_UNSIGNED):
        forged["digest"] = client_digest(forged["client"])


def record_seeds() -> Iterator[bytes]:
    """Yield state files: a record, and changes of it."""
    for body in list(client_seeds())[::3]:
        client = _restored(json.loads(body))
        assert client is not None
        pending = client.receive(Tick(), now=5.0)
        record = storage.make_record(client.snapshot(now=5.0), pending, 5.0, wall=1_000.0)
        lines = [
            record,
            {"fields": {"at": {"value": 1_001.0}, "told": {"drop": 0, "add": []}}},
            {"fields": {"client": {"value": record["client"]}}},
        ]
        yield b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def check_record(data: bytes) -> None:
    """Check that a state file raises `SnapshotError`, or gives a chat."""
    store = FileStore(Path("chat.json"))
    content: Any = SimpleNamespace(read_bytes=lambda: data)
    object.__setattr__(store, "path", content)  # a file takes many times as long
    try:
        record = store.load()
    except SnapshotError:
        return
    assert isinstance(record, dict)
    _sign(record.get("client"))
    try:
        restored = storage.restore(record, ENDPOINT, now=50.0, wall=2_000.0)
    except SnapshotError:
        return
    for effect in restored.pending:
        assert isinstance(repr(effect), str)
    with suppress(ChatError):
        restored.client.receive(Tick(), now=60.0)
    json.dumps(
        storage.make_record(
            restored.client.snapshot(now=60.0), restored.pending, 60.0, wall=2_010.0
        ),
        allow_nan=False,
    )


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
