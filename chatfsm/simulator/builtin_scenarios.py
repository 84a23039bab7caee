"""Built-in scenarios, with their invented agents, forms and file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import evolve

from chatfsm._protocol import names as wire
from chatfsm.simulator.echo_agent import FILE_ID, KEYWORDS, call_offer, candidate_step, signal_step
from chatfsm.simulator.portraits import portrait
from chatfsm.simulator.scenario import (
    AgentLeaves,
    Await,
    Converse,
    EndSession,
    FindAgent,
    Pause,
    Say,
    Scenario,
    ShowForm,
    ShowSecureForm,
    Tell,
)
from chatfsm.simulator.tenants import (
    Agent,
    AppEntry,
    Tenant,
    TenantField,
    TenantFile,
    TenantForm,
)
from chatfsm.simulator.wire_events import status

__all__ = [
    "AGENTS",
    "DEMO_APP_ID",
    "FILE",
    "FORMS",
    "ICON",
    "SCENARIOS",
    "SURVEY",
    "TENANT_URL",
    "build_tenant",
    "builtin_agents",
]

TENANT_URL: Final = "tenant.example"
"""The domain of a tenant that `build_tenant` returns."""
DEMO_APP_ID: Final = "demo"
"""The app id of such a tenant whose scenario its user chooses."""

SURVEY: Final = "MobileChatSurvey"
"""The name of the survey form, which the vendor's web clients know and draw themselves."""

# Seconds for a person to write an answer or to fill in a form, with time to spare; then the
# scenario goes on.
_PATIENCE: Final = 300.0
# Seconds of typing: long enough to be seen, short enough not to be waited for.
_TYPING: Final = 2.0

_IVR: Final = Tell(status("ivr", ""))
_TEXT: Final = Await(wire.MESSAGE, timeout=_PATIENCE)
_FORM: Final = Await((wire.FORM_DATA, wire.FORM_DATA_CANCEL), timeout=_PATIENCE)
_SECURE_FORM: Final = Await((wire.SECURE_FORM_DATA, wire.SECURE_FORM_CANCEL), timeout=_PATIENCE)
_CALL: Final = Await(
    wire.SIGNALING, {"data.type": [wire.ANSWER_CALL, wire.CALL_REJECTED]}, timeout=60.0
)


def _scenario_joins(name: str) -> Tell:
    """Return the step by which the scenario itself joins as a party."""
    return Tell(
        {
            "event": wire.PARTY_JOINED,
            "party_id": "$scenario",
            "display_name": name,
            "first_name": "",
            "last_name": "",
            "type": "scenario",
        }
    )


def _agent_says(text: str) -> Say:
    return Say(text, _TYPING)


def _bot_says(text: str) -> Say:
    return Say(text, by="scenario")


def _queued(seconds: int) -> Tell:
    return Tell(status("queued", str(seconds)))


_GOODBYE: Final = (AgentLeaves(), EndSession())

_SCENARIOS: Final = (
    Scenario(
        "plain",
        (
            _IVR,
            _bot_says("Hello, this is Fernhollow Bank. One moment, we are looking for somebody."),
            Pause(1.0),
            FindAgent(),
            _agent_says("Good morning. What can I do for you?"),
            _TEXT,
            _agent_says("I am sorry to hear that. I will look into it. Is there anything else?"),
            _TEXT,
            _agent_says("Goodbye, and have a good day."),
            *_GOODBYE,
        ),
        title="a greeting, an agent, two answers, the end",
    ),
    Scenario(
        "queue",
        (
            _queued(40),
            _bot_says("Please wait for the next available agent."),
            Pause(3.0),
            _queued(15),
            Pause(3.0),
            FindAgent(),
            _agent_says("Thank you for waiting. How may I help?"),
            _TEXT,
            _agent_says("That is done. Goodbye!"),
            *_GOODBYE,
        ),
        title="a queue with two estimates before an agent is found",
    ),
    Scenario(
        "bot",
        (
            _IVR,
            _scenario_joins("Tumbleweed Parcels"),
            _bot_says("Welcome to Tumbleweed Parcels. Which parcel is this about?"),
            ShowForm("parcel_number", 300.0),
            _FORM,
            _bot_says("And what has happened to it?"),
            ShowForm("", 300.0),
            _TEXT,
            _bot_says("A person will look into that."),
            FindAgent(),
            _agent_says("Hello, I see your parcel. What can I do for you?"),
            _TEXT,
            _agent_says("You will get a new one. Goodbye!"),
            *_GOODBYE,
        ),
        title="a bot asks by a form and by a text prompt, and a person takes over",
    ),
    Scenario(
        "transfer",
        (
            FindAgent(),
            _agent_says("Hello, what is it about?"),
            _TEXT,
            _agent_says("My colleague who looks after damages will take over."),
            FindAgent(ring=2.0),
            AgentLeaves(),
            _agent_says("Hello, I have read what you wrote. Have you a photo of it?"),
            Await((wire.FILE, wire.MESSAGE), timeout=_PATIENCE),
            _agent_says("Thank you. A new teapot is on its way."),
            *_GOODBYE,
        ),
        title="one agent hands over to another, who joins before the first leaves",
    ),
    Scenario(
        "survey",
        (
            FindAgent(),
            _agent_says("Hello, how may I help?"),
            _TEXT,
            _agent_says("Please switch it off and on once. Leave the chat when it is green."),
        ),
        (
            Tell(status("completed", None)),
            _bot_says("Thank you for chatting with us. Would you answer two short questions?"),
            ShowForm(SURVEY, 180.0),
            Await((wire.FORM_DATA, wire.FORM_DATA_CANCEL), timeout=180.0),
            _bot_says("Thank you! Goodbye."),
        ),
        title="a survey form after the customer has left the conversation",
    ),
    Scenario(
        "secure_form",
        (
            FindAgent(),
            _agent_says("Hello. Please fill in the form, so that I know it is you."),
            ShowSecureForm("identity_check"),
            _SECURE_FORM,
            _agent_says("Thank you. Shall I show you the balance?"),
            ShowSecureForm("balance_consent"),
            _SECURE_FORM,
            _agent_says("Done. Goodbye!"),
            *_GOODBYE,
        ),
        title="two secure forms, to be answered or cancelled",
    ),
    Scenario(
        "call",
        (
            FindAgent(),
            _agent_says("Warmwell Heating, hello. May I call you, so that I can hear it?"),
            _TEXT,
            *call_offer(),
            _CALL,
            candidate_step(3),
            signal_step(wire.CALL_STATE, audioEnabled=True, videoEnabled=False),
            Pause(5.0),
            _agent_says("I heard it well. That is only air in the pipe."),
            signal_step(wire.END_CALL),
            *_GOODBYE,
        ),
        title="an agent calls: offer, candidates, answer, and the agent hangs up",
    ),
    Scenario(
        "inactivity",
        (
            FindAgent(),
            _agent_says("Hello! What are you looking for?"),
            _TEXT,
            _agent_says("We have eleven blue ones. Do you remember anything else?"),
        ),
        title="an agent who falls silent: a warning, and then the inactivity timeout",
    ),
    Scenario(
        "failure",
        (
            _IVR,
            _scenario_joins("Lost property"),
            _bot_says("Lost property, good evening. We will find somebody for you."),
            Pause(1.0),
            _queued(120),
            Pause(3.0),
            _queued(180),
            _bot_says("We are still looking for a free agent."),
            Pause(3.0),
            _bot_says(
                "Unfortunately nobody is here any more. Please write again tomorrow after 8."
            ),
            EndSession("failed"),
        ),
        title="a session that fails in the queue",
    ),
    Scenario(
        "echo",
        (
            FindAgent(),
            Say(f"Hello! I repeat what you say, and know these words: {', '.join(KEYWORDS)}."),
            Converse(),
        ),
        title="an agent who repeats what you say, and knows a few words",
    ),
)

SCENARIOS: Final[dict[str, Scenario]] = {scenario.name: scenario for scenario in _SCENARIOS}
"""The built-in scenarios by name."""

AGENTS: Final = (
    Agent(
        party_id="C692D6C8-D40E-4701-9A72-C8A53FEC0D89",
        display_name="Odile F.",
        first_name="Odile",
        last_name="Farnworth",
        photo=portrait((214, 226, 233), (42, 93, 132)),
        direct_pin="1001",
        capacity=4,
    ),
    Agent(
        party_id="63DC21E3-0668-487A-ABA9-2C45BDA0EA24",
        display_name="Tove",
        first_name="Tove",
        last_name="Lindgaard",
        photo=portrait((240, 226, 208), (150, 84, 42)),
        direct_pin="1002",
        capacity=4,
    ),
    Agent(
        party_id="34744390-5CFB-447A-BD74-965485856165",
        display_name="Bram T.",
        first_name="Bram",
        last_name="Tollevik",
        photo=portrait((219, 234, 214), (62, 112, 58)),
        direct_pin="1003",
        capacity=4,
    ),
)
"""The agents of the built-in scenarios; four chats at once are usual for an agent."""


def builtin_agents(count: int | None = None, capacity: int | None = None) -> tuple[Agent, ...]:
    """Return `count` agents with this capacity each; None: as many, or as much, as `AGENTS`.

    More agents than those have numbers for names.
    """
    number = len(AGENTS) if count is None else count
    agents = AGENTS[:number] + tuple(
        evolve(
            AGENTS[place % len(AGENTS)],
            party_id=f"{place:08X}-0000-4000-8000-000000000000",
            display_name=f"Agent {place + 1}",
            first_name="Agent",
            last_name=str(place + 1),
            direct_pin=str(1001 + place),
        )
        for place in range(len(AGENTS), number)
    )
    return agents if capacity is None else tuple(evolve(one, capacity=capacity) for one in agents)


ICON: Final = portrait((255, 255, 255), (42, 93, 132))
"""The icon of the chat."""


def _form(name: str, title: str, labels: Mapping[str, str]) -> TenantForm:
    return TenantForm(
        name=name,
        title=title,
        fields=tuple(
            TenantField(name=field, label=label, kind="email" if field == "email" else "text")
            for field, label in labels.items()
        ),
    )


FORMS: Final = (
    _form("contact", "How can we reach you?", {"name": "Your name", "email": "Your e-mail"}),
    _form("parcel_number", "Your parcel", {"parcel_number": "The number of your parcel"}),
    _form("identity_check", "Who are you?", {"account": "Account", "password": "Password"}),
    _form("balance_consent", "Your balance", {"consent": "Shall it be shown? yes or no"}),
    _form(SURVEY, "How was it?", {"rating": "From 1 to 5", "comment": "Anything else?"}),
)
"""The forms of the built-in scenarios, for clients that draw a form by its name."""

FILE: Final = TenantFile(
    file_id=FILE_ID,
    content=b"Monday to Friday, from 8 to 18.\nOn Saturdays the owl is in.\n",
    content_type="text/plain",
    file_name="opening-hours.txt",
)
"""The file that agents share."""


def build_tenant(demo: Scenario, url: str = TENANT_URL, agents: Iterable[Agent] = AGENTS) -> Tenant:
    """Return a tenant whose app id `demo` plays a scenario, and with the built-in ones.

    Each built-in scenario is available under its own name as the app id.
    """
    entries = [AppEntry(app_id=DEMO_APP_ID, scenario=demo)]
    entries += [AppEntry(app_id=name, scenario=scenario) for name, scenario in SCENARIOS.items()]
    return Tenant(url=url, entries=entries, agents=agents, files=(FILE,), forms=FORMS, icon=ICON)
