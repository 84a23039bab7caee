"""Each strategy draws only valid examples, and covers all kinds of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as st

from chatfsm import ChatSession, LocalProtocolError, Settings, Tick, decode, events, inputs
from chatfsm import commands as c
from chatfsm import signaling as s
from chatfsm._protocol.codec import decode_item
from chatfsm.effects import Anomaly, UnknownReceived
from chatfsm.errors import ChatError, DecodeError
from chatfsm.replay import verify
from chatfsm.simulator.faults import KINDS, Fault, Faults
from chatfsm.testing import strategies as chats
from chatfsm.testing.invariants import SessionChecker

# Examples that a test checks as a whole need no shrinking.
LOOK = settings(
    max_examples=100,
    derandomize=False,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)


def drawn(strategy: st.SearchStrategy[Any]) -> list[Any]:
    """Return many examples from several seeds, since those of one seed resemble each other."""
    found: list[Any] = []

    @LOOK
    @given(strategy)
    def look(value: Any) -> None:
        found.append(value)

    for number in range(5):
        seed(number)(look)()
    return found


def kinds(values: Iterable[Any]) -> set[type]:
    return {type(value) for value in values}


@pytest.mark.parametrize(
    ("strategy", "union"),
    [
        (chats.events(), events.Event),
        (chats.signals(), s.Signal),
        (chats.commands(), c.Command),
        (chats.send_results(), inputs.Sent | inputs.SendFailed),
    ],
    ids=["events", "signals", "commands", "send_results"],
)
def test_all_classes_are_drawn(strategy: st.SearchStrategy[Any], union: object) -> None:
    """Each class of the union is drawn, and no other."""
    assert kinds(drawn(strategy)) == set(get_args(union))


def test_all_kinds_of_inputs_are_drawn() -> None:
    """Inputs of server, app, transport and time are drawn."""
    found = kinds(drawn(chats.inputs()))
    assert {*get_args(inputs.Input)} & found >= {
        *(inputs.Tick, inputs.Sent, inputs.SendFailed, inputs.Lost, inputs.History),
        *(events.Message, events.Malformed, c.SendText),
    }
    assert found <= set(get_args(inputs.Input))


def test_events_of_some_classes() -> None:
    """Only the requested classes are drawn, whether or not they have names on the wire."""
    assert kinds(drawn(chats.events(events.Message, events.Unknown))) == {
        events.Message,
        events.Unknown,
    }
    assert kinds(drawn(chats.events(events.Malformed))) == {events.Malformed}
    with pytest.raises(ValueError, match="kinds must have a class"):
        chats.wire_events(events.Ended, ending=False)


@pytest.mark.parametrize(
    "strategy",
    [
        chats.events(ending=False),
        chats.quirky_events(ending=False),
        chats.odd_events(),
        chats.hostile_events(),
    ],
    ids=["events", "quirky_events", "odd_events", "hostile_events"],
)
def test_a_session_stays_live(strategy: st.SearchStrategy[Any]) -> None:
    """Events that do not end a session leave it live, whatever their fields."""

    @given(st.lists(strategy, max_size=5))
    def run(several: list[Any]) -> None:
        session = ChatSession("chat-1")
        for event in several:
            session.receive(event, now=0.0)
        assert not session.done

    run()


@given(chats.quirky_wire_events())
def test_a_quirk_is_decoded(item: dict[str, Any]) -> None:
    """A quirk decodes to the class of its name, and undocumented fields are kept."""
    event = decode_item(json.loads(json.dumps(item)))
    assert not isinstance(event, (events.Malformed, events.Unknown))
    assert set(event.extra) <= {"channel_id", "tenant", "seq"}


def test_quirks_are_reached() -> None:
    """Ids as numbers, milliseconds, data as text, renamed fields and missing fields are drawn."""
    found = drawn(chats.quirky_wire_events())
    assert {type(item["msg_id"]) for item in found if "msg_id" in item} == {int, str}
    assert any(int(item.get("timestamp", 0)) > 10**11 for item in found)
    signals = [item["data"] for item in found if item["event"].endswith("_signaling")]
    assert {type(data) for data in signals} == {dict, str}
    files = drawn(chats.quirky_wire_events(events.File))
    assert any("session_id" in item for item in files)
    assert any("party_id" not in item and "session_id" not in item for item in files)


def test_odd_and_hostile_events_are_reached() -> None:
    """Malformed events, other values, huge numbers, deep nesting and escape sequences are drawn."""
    odd = kinds(drawn(chats.odd_events()))
    assert {events.Malformed, events.Unknown, events.Message} <= odd
    texts = [repr(item) for item in drawn(chats.hostile_wire_events())]
    for harm in ("\\x1b[2J", "9" * 300, "[" * 20, "<script>", "\\ud800", "z" * 1_000):
        assert any(harm in text for text in texts), harm


@given(chats.reply_bodies())
def test_a_reply_is_decoded(body: bytes) -> None:
    """Its events are those that it was written from."""
    value = json.loads(body)
    items = value["events"] if isinstance(value, dict) else value
    assert decode(body) == [decode_item(item) for item in items]


def test_a_hostile_reply_is_decoded_or_refused() -> None:
    """Both outcomes occur, and no other."""

    def outcome(body: bytes) -> str:
        try:
            return str(type(decode(body)))
        except DecodeError:
            return "refused"

    assert {*map(outcome, drawn(chats.hostile_reply_bodies()))} == {"<class 'list'>", "refused"}


@given(st.lists(chats.odd_commands(), max_size=5))
def test_an_odd_command_is_accepted_or_refused(orders: list[c.Command]) -> None:
    """A refusal is a `LocalProtocolError`, and the session keeps its rules."""
    session, checker = ChatSession("chat-1"), SessionChecker()
    for order in orders:
        try:
            reported = session.receive(order, now=0.0)
        except LocalProtocolError:
            continue
        checker.check(reported, session, now=0.0)


def test_ids_of_commands_may_be_chosen() -> None:
    """With that option each command has an id."""
    some = drawn(chats.commands(msg_ids=st.just("7")))
    assert {command.msg_id for command in some if hasattr(command, "msg_id")} >= {"7"}
    assert not any(getattr(command, "msg_id", "7") is None for command in some)


def play(session: ChatSession, polls: list[chats.Poll]) -> list[Any]:
    """Feed a server's session to a session; return all effects."""
    now, checker, reported = 100.0, SessionChecker(), []
    for pause, items in polls:
        now += pause
        while session.deadline is not None and session.deadline <= now:
            due = session.deadline
            effects = session.receive(Tick(), now=due)
            checker.check(effects, session, now=due)
            reported += effects
        for event in decode(items):
            effects = session.receive(event, now=now)
            checker.check(effects, session, now=now)
            reported += effects
    return reported


@given(chats.server_sessions(repeats=True))
def test_a_session_of_a_server_is_valid(polls: list[chats.Poll]) -> None:
    """There is no anomaly and no unknown event, even if polls come from a cache."""
    reported = play(ChatSession("chat-1", settings=Settings(strict=True)), polls)
    assert not [effect for effect in reported if isinstance(effect, (Anomaly, UnknownReceived))]


def test_sessions_of_a_server_cover_everything() -> None:
    """All events of a server, all outcomes, several polls and a cached poll are drawn."""
    sessions = drawn(chats.server_sessions(repeats=True, max_size=40))
    items = [item for polls in sessions for _, several in polls for item in several]
    of_client = {events.FormData, events.FormDataCancel, events.ClientEvent}
    receipts = {events.MessageDelivered, events.MessageRead}
    missing = {events.Unknown, events.Malformed} | of_client | receipts
    assert kinds(map(decode_item, items)) == set(get_args(events.Event)) - missing
    outcomes = set()
    for polls in sessions:
        session = ChatSession("chat-1")
        play(session, polls)
        outcomes.add(session.outcome)
    assert outcomes == {None, "ended", "timed_out", "failed"}
    endless = drawn(chats.server_sessions(ending=False))
    assert not any("ended" in str(polls) for polls in endless)


def test_a_session_of_a_server_shrinks() -> None:
    """The smallest example connects and ends."""
    assert find(chats.server_sessions(), lambda _: True) == [
        (
            0.0,
            [
                {"event": "chat_session_status", "state": "connected", "ewt": ""},
                {"event": "chat_session_ended"},
            ],
        )
    ]


@given(chats.journals())
def test_a_journal_agrees(lines: list[str]) -> None:
    """A run of the same session confirms the journal."""
    assert verify(lines) == max(0, len(lines) - 1)


def test_a_damaged_journal_is_detected() -> None:
    """Damage is an error of the library, unless it changes no value."""

    def outcome(lines: list[str]) -> str:
        try:
            verify(lines)
        except ChatError as error:
            return type(error).__name__
        return "agrees"

    found = {outcome(lines) for lines in drawn(chats.odd_journals())}
    assert {"agrees", "UnreadableLogError", "ReplayDivergence"} <= found


def test_all_faults_are_drawn() -> None:
    """Every kind of fault is drawn."""
    assert {fault.kind for fault in drawn(chats.faults())} == set(KINDS)


@given(chats.fault_specs(max_size=2), chats.faults())
def test_a_spec_of_faults_is_read(spec: str, fault: Fault) -> None:
    """Each drawn text is a valid specification."""
    assert isinstance(Faults.parse(spec), Faults)
    assert Faults.parse(str(fault)).entries == (fault,)


@given(chats.wire_histories("forms", max_size=3), chats.past_wire_events("roster"))
def test_a_history_has_topics(page: list[dict[str, Any]], item: dict[str, Any]) -> None:
    """A session can merge each event."""
    assert 1 <= len(page) <= 3
    ChatSession("chat-1").receive(inputs.History(decode([*page, item])), now=0.0)


def test_an_unknown_topic_is_refused() -> None:
    """The error names the topics."""
    topic: Any = "weather"
    with pytest.raises(ValueError, match=r"topics must be of roster, forms, .* not 'weather'"):
        chats.past_wire_events(topic)


def test_a_strategy_is_made_once() -> None:
    """Equal arguments give the same strategy."""
    assert chats.wire_events(ending=False) is chats.wire_events(ending=False)
    assert chats.inputs() is chats.inputs()


@pytest.mark.parametrize("module", ["strategies", "machines", "_machine_cases"])
def test_without_hypothesis_the_extra_is_named(module: str) -> None:
    """Only modules that need hypothesis import it; none imports pytest."""
    words = f"""
import sys
sys.modules["hypothesis"] = None
import chatfsm.testing, chatfsm.testing.invariants, chatfsm.testing.conformance
try:
    import chatfsm.testing.{module}
except ImportError as error:
    print(error, "pytest" in sys.modules)
"""
    run = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout == "this needs hypothesis: pip install 'chatfsm[testing]' False\n"
