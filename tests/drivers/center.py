"""The simulator on a local port, with access to its chats."""

from __future__ import annotations

from typing import Any, Self

from attrs import define, field

from chatfsm._client.client import ChatClient
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.network import Network
from chatfsm.simulator.scenario import Await, Converse, FindAgent, Say, Scenario
from chatfsm.simulator.server.server import SimulatorServer
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.state import CenterChat
from chatfsm.simulator.tenants import Agent, AppEntry, Tenant
from tests.drivers.customer import APP, QUICK, TENANT, endpoint_at

ADA = Agent(party_id="AGENT-1", display_name="Ada", capacity=10_000)
GREETING = "Good morning, this is Ada."
OPENING = (FindAgent(ring=0), Say(GREETING))
ECHOING = Scenario("echoing", (*OPENING, Converse(typing=0)))
"""An agent who repeats the customer's texts, and shows a form when asked for one."""
SILENT = Scenario("silent", (*OPENING, Await("chat_session_end")))
"""An agent who does nothing by herself, so that the test decides on the order."""


def texts_of(chat: CenterChat) -> list[str]:
    """Return the customer's texts in the order in which they arrived."""
    return [
        event["msg"] for event in chat.customer_events if event["event"] == "chat_session_message"
    ]


def message(text: str) -> dict[str, Any]:
    """Return the event of an agent's message."""
    return {"event": "chat_session_message", "party_id": ADA.party_id, "msg": text}


@define(eq=False)
class Server:
    """A simulated center that plays a scenario in each chat; `hold`: seconds of an empty poll.

    `speed`: seconds of the center's clock per second of the wall clock.
    """

    scenario: Scenario = ECHOING
    hold: float = 0.2
    speed: float = 1.0
    center: ContactCenter = field(init=False)
    server: SimulatorServer = field(init=False)
    requests: list[str] = field(factory=list, init=False)
    """A line about each request that was answered."""

    def __attrs_post_init__(self) -> None:
        entry = AppEntry(app_id=APP, scenario=self.scenario, ewt="3")
        tenant = Tenant(url=TENANT, entries=(entry,), agents=(ADA,))
        # Tests look at chats after their end.
        settings = CenterSettings(hold=self.hold * self.speed, max_ended_chats=100_000)
        self.center = ContactCenter([tenant], settings)
        network = Network(self.center)
        self.server = SimulatorServer(network, speed=self.speed, log=self.requests.append)

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self.server.__exit__(kind, *error)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def chats(self) -> list[CenterChat]:
        """All chats, the oldest first."""
        return list(self.center.chats.values())

    @property
    def chat(self) -> CenterChat:
        """The latest chat."""
        return self.chats[-1]

    @property
    def refused_polls(self) -> list[str]:
        """The log lines of polls that were refused because another poll of their chat was held."""
        return [line for line in self.requests if " 429 " in line]

    def send(self, *events: dict[str, Any]) -> None:
        """Send events to the latest chat in one batch."""

        def send_all() -> None:
            for event in events:
                self.center.send_event(self.chat.chat_id, event, now=self.server.now())

        self.server.call_in_loop(send_all)

    def client(self, client_id: str = "client-1", version: int = 2) -> ChatClient:
        return ChatClient(endpoint_at(self.url, client_id, version), settings=QUICK)
