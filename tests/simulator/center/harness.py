"""A test harness: a contact center of one tenant whose chats run a scripted player."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field

from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.scenario import Scenario
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.state import CenterChat
from chatfsm.simulator.tenants import Agent, AppEntry, Tenant, TenantFile, TenantIceServer
from chatfsm.transport import HttpReply, HttpRequest

Event = dict[str, Any]

SCENARIO = Scenario("any", ())
PHOTO = b"\x89PNG\r\n\x1a\n..."
TENANT = Tenant(
    url="tenant.example",
    entries=(
        AppEntry(app_id="demo", scenario=SCENARIO, parameters={"name": "TEXT", "mail": "EMAIL"}),
        AppEntry(app_id="nowhere"),
        AppEntry(app_id="closed", scenario=SCENARIO, is_open=False, ewt=""),
        AppEntry(app_id="hasty", scenario=SCENARIO, ewt="3", inactivity_timeout=10.0),
    ),
    agents=(
        Agent(party_id="A1", display_name="Ann", photo=PHOTO),
        Agent(party_id="A2", display_name="Bo"),
    ),
    ice_servers=(
        TenantIceServer(url="stun:one.example"),
        TenantIceServer(url="turn:two.example", username="u", credential="c"),
    ),
    files=(TenantFile(file_id="menu", content=b"soup", content_type="text/plain"),),
    icon=PHOTO,
)


def event(name: str, **fields: Any) -> Event:
    return {"event": f"chat_session_{name}", **fields}


def agent_message(text: str, **fields: Any) -> Event:
    return event("message", party_id="A1", msg=text, **fields)


@define(eq=False)
class Script:
    """A player with a fixed script: events at the start, at given times, and per customer event."""

    first: list[Event] = field(factory=list)
    later: list[tuple[float, list[Event]]] = field(factory=list)
    answer: Callable[[Event], list[Event]] = lambda _event: []
    received: list[Event] = field(factory=list)
    closed: int = 0

    @property
    def deadline(self) -> float | None:
        return self.later[0][0] if self.later else None

    def start(self, *, now: float) -> list[Event]:
        return self.first

    def receive(self, event: Event, *, now: float) -> list[Event]:
        self.received.append(event)
        return self.answer(event)

    def wake(self, *, now: float) -> list[Event]:
        events: list[Event] = []
        while self.later and self.later[0][0] <= now:
            events += self.later.pop(0)[1]
        return events

    def close(self, *, now: float) -> None:
        self.closed += 1


class CenterHarness:
    """A center with its own clock, the replies to its held polls, and its event log."""

    def __init__(self, make: Callable[[], Any] = Script, *, seed: int = 0, **settings: Any) -> None:
        self.now = 0.0
        self.log: list[tuple[str, Event]] = []
        self.scripts: list[Any] = []
        self.replies: dict[int, HttpReply] = {}
        self.number = 0

        def make_player(_scenario: Scenario, _agents: object, _chat_id: str) -> Any:
            self.scripts.append(make())
            return self.scripts[-1]

        self.center = ContactCenter(
            [TENANT],
            CenterSettings(**settings),
            seed=seed,
            on_event=lambda chat_id, event: self.log.append((chat_id, event)),
            make_player=make_player,
        )

    def request(  # noqa: PLR0913  # a request has these parts
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        version: int = 2,
        client: str = "anna",
        app: str = "demo",
        tenant: str | None = "tenant.example",
        headers: Mapping[str, str] | None = None,
    ) -> HttpReply | None:
        """Send a request; return its reply, or None if the center holds it."""
        self.number += 1
        who = f'MOBILE-API-140-327-PLAIN appId="{app}", clientId="{client}"'
        given = {"Authorization": who, **(headers or {})}
        url = f"https://any.example/clientweb/api/v{version}/{path}?_=1"
        request = HttpRequest(
            self.number,
            verb,  # type: ignore[arg-type]  # some methods are outside the type
            url if tenant is None else f"{url}&tenantUrl={tenant}",
            tuple(given.items()),
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode(),
        )
        reply = self.center.handle(request, now=self.now)
        self.collect()
        return reply

    def request_json(self, verb: str, path: str, body: Any = None, **how: Any) -> Any:
        """Send a request that must be answered at once with 200; return the parsed body."""
        reply = self.request(verb, path, body, **how)
        assert reply is not None
        assert reply.status == 200, reply.body
        return json.loads(reply.body) if reply.body else None

    def refused(self, verb: str, path: str, body: Any = None, **how: Any) -> tuple[int, str | None]:
        """Send a request that must be refused; return the status and the error code, if any."""
        reply = self.request(verb, path, body, **how)
        assert reply is not None
        assert reply.status >= 400, reply
        return reply.status, json.loads(reply.body)["error_code"] if reply.body else None

    def open_chat(self, **how: Any) -> str:
        """Request a chat; return its id."""
        found: str = self.request_json("POST", "chats", {}, **how)["chat_id"]
        return found

    def post(self, chat_id: str, *events: Event, **how: Any) -> Any:
        """Post events as the customer."""
        return self.request_json("POST", f"chats/{chat_id}/events", {"events": events}, **how)

    def poll(self, chat_id: str, **how: Any) -> list[Event] | int:
        """Poll; return the events of the reply, or the request's number if the poll is held."""
        reply = self.request("GET", f"chats/{chat_id}/events", **how)
        return self.number if reply is None else events_of(reply)

    def send(self, chat_id: str, *events: Event) -> None:
        """Send events to the customer as the center."""
        for one in events:
            self.center.send_event(chat_id, one, now=self.now)
        self.collect()

    def advance(self, seconds: float) -> None:
        """Advance the clock to each deadline in turn, and by `seconds` in all."""
        end = self.now + seconds
        while (at := self.center.deadline) is not None and at <= end:
            self.now = max(self.now, at)
            self.collect()
        self.now = end
        self.collect()

    def collect(self) -> None:
        for reply in self.center.collect(now=self.now):
            assert reply.id not in self.replies, "a poll is answered once"
            self.replies[reply.id] = reply

    def late_reply(self, number: int) -> list[Event]:
        """Return the events of the reply to a poll that was held."""
        return events_of(self.replies[number])

    def chat(self, chat_id: str) -> CenterChat:
        return self.center.chats[chat_id]

    def history(self, chat_id: str, **how: Any) -> list[Event]:
        found: list[Event] = self.request_json("GET", f"chats/{chat_id}/history", **how)["events"]
        return found


def events_of(reply: HttpReply) -> list[Event]:
    assert reply.status == 200, reply.body
    found: list[Event] = json.loads(reply.body)["events"]
    return found


def names(events: Iterable[Event]) -> list[str]:
    """Return the names of events without their prefix."""
    return [one["event"].removeprefix("chat_session_") for one in events]
