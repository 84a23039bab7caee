"""Targets over HTTP: replies to a client, and requests to a contact center.

An input consists of lines. A line begins with a letter, which selects an action, and a number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from chatfsm import ChatError, Settings, Tick, api, commands
from chatfsm._client.client import ChatClient
from chatfsm.settings import ClientSettings
from chatfsm.simulator import builtin_scenarios
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.handlers import ROUTES
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.tenants import AppEntry, Tenant, TenantFile
from chatfsm.testing.invariants import ClientChecker
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.fuzz.snapshots import ENDPOINT, NEWS, ORDERS
from tests.fuzz.texts import log_seeds

__all__ = ["check_replies", "check_requests", "reply_seeds", "request_seeds"]

_LINE: Final = re.compile(rb"([a-zA-Z])(\d{0,4}) ?(.*)", re.DOTALL)
_MAX_STEPS: Final = 200
_FAILURES: Final = ("connect", "timeout", "protocol", "cancelled")
_API: Final = (
    *(api.CheckAvailability(), api.GetExpectedParameters(), api.GetConfiguration()),
    *(api.GetActiveChat(), api.UploadFile("a.txt", b"x"), api.GetFile("f"), api.GetPhoto("p")),
    *(api.GetIceServers(), api.GetCaseHistory(), api.CloseCase(), api.GetVersion()),
    *(api.SubscribeNotifications(), api.RequestChat(), api.Resume(client_id="other")),
)
_SAID: Final = (
    *ORDERS,
    *(commands.MarkRead("2"), commands.Disconnect(), commands.EndCall(), commands.StopTyping()),
    *(commands.SubmitForm("1", {"a": "secret"}, secure=True), commands.RequestCall()),
)
_SETTINGS: Final = ClientSettings(
    session=Settings(max_ids=8, max_parties=3, max_forms=2, max_unsent=4), max_queued=8
)


def reply_seeds() -> Iterator[bytes]:
    """Yield runs of clients: the recorded logs in polls, with failures between them."""
    opened = b'r200 {"chat_id":"chat-1","state":"queued","is_new_chat":true}'
    for number, seed in enumerate(log_seeds()):
        try:
            items = [json.loads(line) for line in seed.splitlines()]
        except ValueError:
            continue
        lines = [opened]
        for start in range(0, len(items), 4):
            lines.append(b"r200 " + json.dumps({"events": items[start : start + 4]}).encode())
            lines.append(b"t%d" % (10 * start))
            lines.append(b"c%d" % (start // 4 + number))
        lines.insert(number % 5 + 1, (b"f1", b"s", b"f2", b"r503", b"a%d" % number)[number % 5])
        lines.append(b'r404 {"error_code":"5005","error_message":"gone"}')
        yield b"\n".join(lines)
    codes = ("1000", "2001", "5000", "5003", "5005", "5006", "5500", "5509", "5511", "5601")
    for number, code in enumerate(codes):
        error = json.dumps({"error_code": code, "error_message": "no"}).encode()
        lines = [
            opened,
            b"c0",
            b"a%d" % number,
            b"l400 " + error,
            b"h30",
            b"r429 " + error,
            b"t600",
        ]
        yield b"\n".join([*lines, b"r302 <html>", b"r200 <html>", b"s", b"t9000"])
    for number in range(len(_API)):
        body = {"servers": [{"url": "stun:x"}], "file_id": "f", "chat": "available", "ewt": "3"}
        body |= {"sessions": [{"chat_id": "c", "events": []}], "server_version": "5"}
        lines = [opened, b"a%d" % number, b"l200 " + json.dumps(body).encode(), b"t10"]
        yield b"\n".join(lines)


def check_replies(data: bytes) -> None:
    """Check that a client raises nothing but refusals, keeps its invariants and stays bounded."""
    client = ChatClient(ENDPOINT, settings=_SETTINGS, token="t0k")
    checker = ClientChecker()
    waiting: dict[int, HttpRequest] = {}
    now, headers = 0.0, {"content-type": "application/json"}
    items: list[Any] = [api.RequestChat()]
    for line in (b"", *data.split(b"\n")[:_MAX_STEPS]):
        matched = _LINE.fullmatch(line)
        if matched is not None:
            kind, number, body = matched[1], int(matched[2] or 0), matched[3]
            if kind in b"rlf" and waiting:
                at = min(waiting) if kind != b"l" else max(waiting)
                reply = HttpReply(at, number or 200, headers, body)
                is_lost = kind == b"f"
                items.append(HttpFailure(at, _FAILURES[number % 4]) if is_lost else reply)
                del waiting[at]
            elif kind == b"t":
                now += number / 10
                items.append(Tick())
            elif kind == b"h":
                headers = {"retry-after": body.decode("latin-1") or str(number)}
            elif kind == b"c":
                items.append(_SAID[number % len(_SAID)])
            elif kind == b"a":
                items.append(_API[number % len(_API)])
            elif kind == b"s":
                plain = json.loads(json.dumps(client.snapshot(now=now), allow_nan=False))
                client = ChatClient.restore(plain, ENDPOINT, settings=_SETTINGS, now=now)
                checker.on_restart()
                waiting.clear()
                items.append(Tick())
        while items:
            _step(client, checker, items.pop(0), waiting, now)
        if client.deadline is not None:
            now = max(now, min(client.deadline, now + 0.05))
    assert len(waiting) <= _SETTINGS.max_api_requests + 3
    assert len(json.dumps(client.snapshot(now=now))) < 200_000 + 20 * len(data)


def _step(
    client: ChatClient,
    checker: ClientChecker,
    item: Any,
    waiting: dict[int, HttpRequest],
    now: float,
) -> None:
    try:
        effects = client.receive(item, now=now)
    except ChatError:
        return
    if client.deadline is not None and client.deadline <= now:
        effects += client.receive(Tick(), now=now)
    checker.check(item, effects, client, now=now)
    for effect in effects:
        assert "secret" not in repr(effect)
        if isinstance(effect, HttpRequest):
            waiting[effect.id] = effect
    assert client.health(now).link


_TENANT: Final = Tenant(
    url="tenant.example",
    entries=tuple(
        AppEntry(app_id=name, scenario=scenario)
        for name, scenario in builtin_scenarios.SCENARIOS.items()
    ),
    agents=builtin_scenarios.AGENTS,
    files=(builtin_scenarios.FILE, TenantFile(file_id="menu", content=b"s", content_type="a/b")),
)
_APPS: Final = [entry.app_id for entry in _TENANT.entries]


def request_seeds() -> Iterator[bytes]:
    """Yield chats as requests: each route, the customer's events, and time."""
    routes = [
        f"{route.verb[0]}2 {route.path.replace('{subject}', 'menu')}".encode() for route in ROUTES
    ]
    for number, name in enumerate(_APPS):
        lines = [
            b"A%d" % number,
            b"P%d chats" % (1 + number % 2),
            b"G2 chats/{chat}/events",
            b"t20",
        ]
        for at, seed in enumerate(("message", "typing", "form_data", "end")):
            event = {"event": f"chat_session_{seed}", "msg": name, "msg_id": str(at)}
            event |= {"form_request_id": "1", "form_name": "", "data": {"text": "a"}}
            lines.append(b"P2 chats/{chat}/events " + json.dumps({"events": [event]}).encode())
            lines += [b"t30", b"G2 chats/{chat}/events", routes[(number + at) % len(routes)]]
        yield b"\n".join(lines)
    head = b'Content-Disposition: form-data; name="file"; filename="a.txt"'
    upload = b"--XX\\r\\n" + head + b"\\r\\n\\r\\nabc\\r\\n--XX--\\r\\n"
    yield b"\n".join(
        [b"A0", b"P2 chats", *routes, b"C multipart/form-data; boundary=XX", b"P2 files " + upload]
    )


def check_requests(data: bytes) -> None:
    """Check that a center answers or holds each request, raises nothing, and works afterwards."""
    center = ContactCenter([_TENANT], CenterSettings(max_ended_chats=2, max_live_chats=8))
    held: set[int] = set()
    now, app, content_type, known = 0.0, _APPS[0], "application/json", "none"
    for number, line in enumerate(data.split(b"\n")[:_MAX_STEPS], start=1):
        matched = _LINE.fullmatch(line)
        if matched is None:
            continue
        kind, digits, rest = matched[1], int(matched[2] or 0), matched[3]
        if kind == b"t":
            now += digits / 10
        elif kind == b"A":
            app = rest.decode("latin-1") or _APPS[digits % len(_APPS)]
        elif kind == b"C":
            content_type = rest.decode("latin-1")
        elif kind == b"B":
            center.abort_poll(digits, now=now)
            held.discard(digits)
        elif kind == b"R":
            held.difference_update(center.restart(now=now))
        else:
            path, _, body = rest.replace(b"{chat}", known.encode()).partition(b" ")
            request = _request(number, (kind, digits, path, body), app, content_type)
            reply = center.handle(request, now=now)
            if reply is None:
                held.add(number)
            else:
                _check_reply(reply)
        for late in center.collect(now=now):
            held.remove(late.id)
            _check_reply(late)
        known = next(reversed(center.chats), "none")
        assert len(center.chats) <= 10
    for late in center.collect(now=now + 1_000.0):
        held.discard(late.id)
        _check_reply(late)
    assert not held, "a held poll was never answered"
    proper = _request(9_999, (b"G", 2, b"version", b""), _APPS[0], "application/json")
    answer = center.handle(proper, now=now + 1_000.0)
    assert answer is not None
    assert answer.status == 200


def _request(
    number: int, asked: tuple[bytes, int, bytes, bytes], app: str, kind: str
) -> HttpRequest:
    verb, version, path, body = asked
    query = b"" if b"?" in path else b"?tenantUrl=tenant.example"
    url = b"https://x.example/clientweb/api/v%d/%b%b" % (version, path, query)
    method: Any = {b"G": "GET", b"P": "POST"}.get(verb, "PUT")
    credentials = f'MOBILE-API-140-327-PLAIN appId="{app}", clientId="anna"'
    headers = (("Authorization", credentials), ("Content-Type", kind))
    content = body.replace(b"\\r", b"\r").replace(b"\\n", b"\n") if b"\\r" in body[:40] else body
    return HttpRequest(number, method, url.decode("latin-1"), headers, content)


def _check_reply(reply: HttpReply) -> None:
    assert 200 <= reply.status < 600
    assert len(reply.body) < 4 * 1024 * 1024
    for name, value in reply.headers.items():
        assert "\r" not in name + value
        assert "\n" not in name + value or name == "set-cookie"
    if reply.headers.get("content-type", "").startswith("application/json"):
        json.loads(reply.body)


assert NEWS, "the shared inputs are those of the restored clients"
