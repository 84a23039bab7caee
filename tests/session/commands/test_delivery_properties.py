"""Delivery with any inputs: no message arrives twice or is lost, and each has one final state."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from chatfsm import commands as c
from chatfsm._session.tables import DELIVERY
from chatfsm.effects import (
    MessageFailed,
    MessageReceived,
    MessageSent,
    MessageUnconfirmed,
    SendEvents,
)

if TYPE_CHECKING:
    from chatfsm.effects import Effect
    from tests.session.commands.conftest import Harness

CHAT = "chat-1"
NUMBERS = st.integers(0, 5).map(lambda number: str(2 * number + 1))
TEXTS = st.sampled_from(("hello", "a < b", "&lt;", "", "x" * 70))

# One step: an input, and the message that it concerns.
STEPS = st.tuples(
    st.sampled_from(
        (
            *(
                "send",
                "send",
                "send",
                "sent",
                "unconfirmed",
                "unconfirmed",
                "fail",
                "echo",
                "escaped",
                "foreign",
            ),
            *("delivered", "read", "page", "history", "history with it", "tick"),
        )
    ),
    NUMBERS,
    TEXTS,
)


def perform_step(
    harness: Harness, kind: str, msg_id: str, text: str, sent_texts: dict[str, str]
) -> list[Effect]:
    """Feed one step; return its effects."""
    content = sent_texts.get(msg_id, "nothing")
    line = {"event": "message", "party_id": CHAT, "msg_id": msg_id, "msg": content}
    if kind == "send":
        effects = harness.receive(c.SendText(text))
        sent_texts[next(reversed(harness.outbox))] = text
        return effects
    steps: dict[str, Any] = {
        "sent": lambda: harness.sent(msg_id),
        "unconfirmed": lambda: harness.unconfirmed(msg_id),
        "fail": lambda: harness.failed(msg_id),
        "echo": lambda: harness.echo(msg_id, content) if msg_id in sent_texts else [],
        "escaped": lambda: (
            harness.echo(msg_id, html.escape(content)) if msg_id in sent_texts else []
        ),
        "foreign": lambda: harness.echo("1", "of another device"),
        "delivered": lambda: harness.delivered(msg_id),
        "read": lambda: harness.read(msg_id),
        "page": lambda: harness.history(complete=False),
        "history": harness.history,
        "history with it": lambda: harness.history(*([line] if msg_id in sent_texts else [])),
        "tick": lambda: harness.tick(at=harness.now + 7.0),
    }
    effects: list[Effect] = steps[kind]()
    return effects


@given(steps=st.lists(STEPS, max_size=40), ends=st.booleans())
def test_every_message_has_one_final_state(
    make_harness: type[Harness], steps: list[tuple[str, str, str]], ends: bool
) -> None:
    """At each moment each message is in one state, reached by a row of the table, reported once."""
    harness = make_harness(max_unsent=64)
    sent_texts: dict[str, str] = {}
    before: dict[str, str] = {}
    for kind, msg_id, text in steps:
        effects = perform_step(harness, kind, msg_id, text, sent_texts)
        check_changes(before, harness.outbox, effects, again=kind.startswith("history"))
        before = harness.outbox
        assert list(before) == list(sent_texts), "forgotten, or never sent"
    if ends:
        effects = harness.end()
        for msg_id, state in before.items():
            now_unconfirmed = MessageUnconfirmed(msg_id, "the session is over") in effects
            assert now_unconfirmed == (state == "pending")
            assert harness.outbox[msg_id] == ("unconfirmed" if state == "pending" else state)
    check_reported_once(harness.effects)


def check_changes(
    before: dict[str, str], after: dict[str, str], effects: list[Effect], *, again: bool
) -> None:
    """Assert that a step reports each change of state, and changes no state silently."""
    posted = [i for effect in effects if isinstance(effect, SendEvents) for i in effect.msg_ids]
    arrived = [effect.msg_id for effect in effects if isinstance(effect, MessageSent)]
    failed = [effect.msg_id for effect in effects if isinstance(effect, MessageFailed)]
    doubted = [effect.msg_id for effect in effects if isinstance(effect, MessageUnconfirmed)]
    for msg_id, state in after.items():
        was = before.get(msg_id)
        if was is None:
            assert (state, posted.count(msg_id)) == ("pending", 1)
            continue
        assert state == was or state in DELIVERY.moves[was].values(), "not a row of the table"
        was_open, is_open = (s in {"pending", "unconfirmed"} for s in (was, state))
        assert arrived.count(msg_id) == (was_open and not is_open and state != "failed")
        assert failed.count(msg_id) == (was != "failed" and state == "failed")
        assert doubted.count(msg_id) == (was == "pending" and state == "unconfirmed")
        sent_again = again and was == "unconfirmed" and state == "pending"
        assert posted.count(msg_id) == sent_again, "sent again without a complete history"


def check_reported_once(reported: list[Effect]) -> None:
    """Assert that each message arrives or fails at most once."""
    ids = [effect.msg_id for effect in reported if isinstance(effect, (MessageSent, MessageFailed))]
    assert len(ids) == len(set(ids))


class Server:
    """A server that receives posts and logs what has arrived."""

    def __init__(self) -> None:
        self.log: list[dict[str, Any]] = []
        self.escapes = False

    def receive(self, events: tuple[dict[str, Any], ...]) -> None:
        """Log the events of a post."""
        for event in events:
            line = {**event, "party_id": CHAT.upper() if self.escapes else CHAT}
            if self.escapes and "msg" in line:
                line["msg"] = html.escape(str(line["msg"]))
            self.log.append(line)

    def ids(self) -> list[str]:
        """The ids of the messages that arrived, in order."""
        return [str(line["msg_id"]) for line in self.log if line.get("msg_id")]


class Transport:
    """A transport between a session and a server that may lose posts and replies."""

    def __init__(self, harness: Harness) -> None:
        self.harness, self.server = harness, Server()
        self.waiting: list[SendEvents] = []

    def enqueue(self, effects: list[Effect]) -> None:
        """Queue the posts among effects."""
        self.waiting += [effect for effect in effects if isinstance(effect, SendEvents)]

    def post_next(self, *, arrives: bool, replied: bool) -> None:
        """Deliver or lose the oldest post, and its reply."""
        if not self.waiting:
            return
        post = self.waiting.pop(0)
        if arrives:
            self.server.receive(post.events)
        if arrives and replied:
            self.enqueue(self.harness.sent(*post.msg_ids))
        else:
            self.enqueue(self.harness.unconfirmed(*post.msg_ids))

    def ask_history(self, first: int, last: int, *, complete: bool) -> None:
        """Feed a part of the history, or all of it."""
        log = self.server.log if complete else self.server.log[first:last]
        self.enqueue(self.harness.history(*log, complete=complete))

    def echo(self, number: int) -> None:
        """Feed one line of the server's log, as a poll perform."""
        if self.server.log:
            line = self.server.log[number % len(self.server.log)]
            fields = {name: value for name, value in line.items() if name != "event"}
            self.enqueue(self.harness.feed(line["event"], **fields))


MESSAGES = st.one_of(
    st.builds(c.SendText, TEXTS),
    st.builds(c.SendText, TEXTS, st.just("<b>hi</b>")),
    st.builds(c.SendFile, st.sampled_from(("F1", "F2")), st.just("image")),
    st.builds(c.SendLocation, st.sampled_from((1.5, 2.25, 0.1)), st.sampled_from((0.5, -0.1))),
)
ACTIONS = st.one_of(
    st.tuples(st.just("send"), MESSAGES),
    st.tuples(st.just("post"), st.sampled_from(((True, True), (True, False), (False, False)))),
    st.tuples(st.just("ask"), st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans())),
    st.tuples(st.just("echo"), st.integers(0, 9)),
    st.tuples(st.just("prompt"), st.integers(0, 9)),
    st.tuples(st.just("typing"), st.none()),
)


def perform(transport: Transport, action: str, argument: Any) -> None:
    """One step of the app, the transport or the server."""
    harness = transport.harness
    if action == "send":
        transport.enqueue(harness.receive(argument))
    elif action == "post":
        transport.post_next(arrives=argument[0], replied=argument[1])
    elif action == "ask":
        transport.ask_history(argument[0], argument[1], complete=argument[2])
    elif action == "echo":
        transport.echo(argument)
    elif action == "prompt":
        transport.enqueue(harness.show_form(str(argument), ""))
    else:
        transport.enqueue(harness.receive(c.StartTyping()))


@given(actions=st.lists(ACTIONS, max_size=40), escapes=st.booleans())
def test_nothing_arrives_twice_and_nothing_is_lost(
    make_harness: type[Harness], actions: list[tuple[str, Any]], escapes: bool
) -> None:
    """Whatever posts and replies are lost, each message arrives once, after a complete history.

    The server never has a message twice. After a complete history and the posts that it causes, the
    server has all messages, and the session knows it.
    """
    transport = Transport(make_harness())
    transport.server.escapes = escapes
    for action, argument in actions:
        perform(transport, action, argument)
        assert len(transport.server.ids()) == len(set(transport.server.ids())), "arrived twice"

    transport.ask_history(0, 0, complete=True)
    while transport.waiting:
        transport.post_next(arrives=True, replied=True)

    messages = [argument for action, argument in actions if action == "send"]
    assert sorted(transport.server.ids(), key=int) == [str(2 * n + 1) for n in range(len(messages))]
    assert set(transport.harness.outbox.values()) <= {"sent"}
    assert len(transport.harness.outbox) == len(messages)
    check_reported_once(transport.harness.effects)
    assert not [
        effect for effect in transport.harness.effects if isinstance(effect, MessageReceived)
    ]
    transport.ask_history(0, 0, complete=True)
    assert transport.waiting == []


@given(
    texts=st.lists(TEXTS, min_size=1, max_size=8),
    arrives=st.lists(st.booleans(), min_size=8, max_size=8),
    cut=st.integers(0, 8),
)
def test_pages_in_any_order_resolve_all_unconfirmed_messages(
    make_harness: type[Harness], texts: list[str], arrives: list[bool], cut: int
) -> None:
    """Arrived messages are confirmed and missing ones sent again, whichever page comes first."""
    transport = Transport(make_harness())
    for text, arrived in zip(texts, arrives, strict=False):
        transport.enqueue(transport.harness.receive(c.SendText(text)))
        transport.post_next(arrives=arrived, replied=False)
    assert set(transport.harness.outbox.values()) == {"unconfirmed"}

    transport.ask_history(cut, 99, complete=False)
    assert transport.waiting == []
    transport.enqueue(transport.harness.history(*transport.server.log[:cut]))

    states = ["sent" if arrived else "pending" for arrived in arrives[: len(texts)]]
    assert list(transport.harness.outbox.values()) == states
    sent_again = [i for post in transport.waiting for i in post.msg_ids]
    assert sent_again == [i for i, state in transport.harness.outbox.items() if state == "pending"]


@given(steps=st.lists(STEPS, max_size=40), limit=st.integers(1, 4))
def test_the_outbox_stays_bounded(
    make_harness: type[Harness], steps: list[tuple[str, str, str]], limit: int
) -> None:
    """The numbers of open messages and of all messages keep their bounds, whatever the inputs."""
    harness = make_harness(max_unsent=limit)
    sent_texts: dict[str, str] = {}
    for kind, msg_id, text in steps:
        waiting = sum(state in {"pending", "unconfirmed"} for state in harness.outbox.values())
        if kind == "send" and waiting >= limit:
            assert "messages wait to be sent" in harness.try_command(c.SendText(text))
        else:
            perform_step(harness, kind, msg_id, text, sent_texts)
        states = list(harness.outbox.values())
        open_now = sum(state in {"pending", "unconfirmed"} for state in states)
        assert open_now <= limit
        assert len(states) <= 2 * limit
