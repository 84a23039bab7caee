"""A contact center of one tenant for tests, with a play that does as it is told."""

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


def says(text: str, **fields: Any) -> Event:
    return event("message", party_id="A1", msg=text, **fields)


@define(eq=False)
class Script:
    """What the center's side does: at first, at given times, and whenever it hears something."""

    first: list[Event] = field(factory=list)
    later: list[tuple[float, list[Event]]] = field(factory=list)
    answer: Callable[[Event], list[Event]] = lambda _event: []
    heard: list[Event] = field(factory=list)
    closed: int = 0

    @property
    def deadline(self) -> float | None:
        return self.later[0][0] if self.later else None

    def start(self, *, now: float) -> list[Event]:
        return self.first

    def receive(self, event: Event, *, now: float) -> list[Event]:
        self.heard.append(event)
        return self.answer(event)

    def wake(self, *, now: float) -> list[Event]:
        told: list[Event] = []
        while self.later and self.later[0][0] <= now:
            told += self.later.pop(0)[1]
        return told

    def close(self, *, now: float) -> None:
        self.closed += 1


class Office:
    """A center, the time, and what its polls were answered with."""

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

    def ask(  # noqa: PLR0913  # a request has these parts
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
        """Send a request; None where it is held."""
        self.number += 1
        who = f'MOBILE-API-140-327-PLAIN appId="{app}", clientId="{client}"'
        given = {"Authorization": who, **(headers or {})}
        url = f"https://any.example/clientweb/api/v{version}/{path}?_=1"
        request = HttpRequest(
            self.number,
            verb,  # type: ignore[arg-type]  # some are none that the type knows
            url if tenant is None else f"{url}&tenantUrl={tenant}",
            tuple(given.items()),
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode(),
        )
        reply = self.center.handle(request, now=self.now)
        self.collects()
        return reply

    def asks(self, verb: str, path: str, body: Any = None, **how: Any) -> Any:
        """Send a request that is answered at once with 200; gives the parsed body."""
        reply = self.ask(verb, path, body, **how)
        assert reply is not None
        assert reply.status == 200, reply.body
        return json.loads(reply.body) if reply.body else None

    def refused(self, verb: str, path: str, body: Any = None, **how: Any) -> tuple[int, str | None]:
        """Send a request that is refused; gives the status, and the code where there is one."""
        reply = self.ask(verb, path, body, **how)
        assert reply is not None
        assert reply.status >= 400, reply
        return reply.status, json.loads(reply.body)["error_code"] if reply.body else None

    def opens(self, **how: Any) -> str:
        """Request a chat; gives its id."""
        found: str = self.asks("POST", "chats", {}, **how)["chat_id"]
        return found

    def posts(self, chat_id: str, *events: Event, **how: Any) -> Any:
        """The customer does something."""
        return self.asks("POST", f"chats/{chat_id}/events", {"events": events}, **how)

    def polls(self, chat_id: str, **how: Any) -> list[Event] | int:
        """What a poll brings at once, or the number of its request where it is held."""
        reply = self.ask("GET", f"chats/{chat_id}/events", **how)
        return self.number if reply is None else events_of(reply)

    def tells(self, chat_id: str, *events: Event) -> None:
        """Somebody of the center does something, by hand."""
        for one in events:
            self.center.send_event(chat_id, one, now=self.now)
        self.collects()

    def waits(self, seconds: float) -> None:
        """Time passes, and everything happens when it is due."""
        end = self.now + seconds
        while (at := self.center.deadline) is not None and at <= end:
            self.now = max(self.now, at)
            self.collects()
        self.now = end
        self.collects()

    def collects(self) -> None:
        for reply in self.center.collect(now=self.now):
            assert reply.id not in self.replies, "a poll is answered once"
            self.replies[reply.id] = reply

    def brought(self, number: int) -> list[Event]:
        """What a poll that was held was answered with."""
        return events_of(self.replies[number])

    def chat(self, chat_id: str) -> CenterChat:
        return self.center.chats[chat_id]

    def history(self, chat_id: str, **how: Any) -> list[Event]:
        found: list[Event] = self.asks("GET", f"chats/{chat_id}/history", **how)["events"]
        return found


def events_of(reply: HttpReply) -> list[Event]:
    assert reply.status == 200, reply.body
    found: list[Event] = json.loads(reply.body)["events"]
    return found


def names(events: Iterable[Event]) -> list[str]:
    """What happened, in short."""
    return [one["event"].removeprefix("chat_session_") for one in events]
