"""Faults observed in the field: polls of another client, and bytes that are not UTF-8."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.network import Network
from chatfsm.transport import HttpReply, HttpRequest
from tests.simulator.center.harness import TENANT, Script, agent_message
from tests.simulator.network.fake_center import NetworkHarness


@pytest.mark.parametrize(("version", "status"), [(1, 400), (2, 429)])
def test_another_client_polls(version: int, status: int) -> None:
    """The poll is refused as busy, and its pending events go to the other client."""
    center = ContactCenter([TENANT], make_player=lambda *_: Script([agent_message("Hi")]))
    network = Network(center, "busy")
    who = (("Authorization", 'MOBILE-API-140-327-PLAIN appId="demo", clientId="anna"'),)
    base = f"https://any.example/clientweb/api/v{version}/chats"
    query = "?tenantUrl=tenant.example"

    def exchange(number: int, method: Any, path: str) -> HttpReply:
        request = HttpRequest(number, method, f"{base}{path}{query}", who, b"")
        network.send(request, now=0.0)
        (reply,) = network.collect(now=0.0)
        assert isinstance(reply, HttpReply)
        return reply

    chat_id = json.loads(exchange(1, "POST", "").body)["chat_id"]
    for number in (2, 3):  # with an event that is pending, and with none
        reply = exchange(number, "GET", f"/{chat_id}/events")
        assert (reply.status, json.loads(reply.body)["error_code"]) == (status, "5509")
        assert center.chats[chat_id].pending == []
        assert center.chats[chat_id].held_poll is None
    history = json.loads(exchange(4, "GET", f"/{chat_id}/history").body)["events"]
    assert [event["msg"] for event in history] == ["Hi"]
    assert network.fault_counts == {"busy": 2}


def test_a_byte_that_cannot_be_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The byte is put between the intact fields of the reply; a reply without fields stays."""
    harness = NetworkHarness("bad-byte")
    assert harness.exchange().body == b"1"
    whole = HttpReply(2, 200, {}, b'{"events": []}')
    monkeypatch.setattr(harness.center, "handle", lambda _request, *, now: whole)
    body = harness.exchange().body
    with pytest.raises(UnicodeDecodeError):
        body.decode()
    lenient = body.decode(errors="replace")
    with pytest.raises(ValueError, match="control character"):
        json.loads(lenient)
    assert json.loads(lenient, strict=False)["events"] == []
