"""Whatever happens to what was said: never twice, never lost, and at last exactly one fate."""

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
    from tests.session.commands.conftest import Talk

CHAT = "chat-1"
NUMBERS = st.integers(0, 5).map(lambda number: str(2 * number + 1))
TEXTS = st.sampled_from(("hello", "a < b", "&lt;", "", "x" * 70))

# One step of a life: what happens, and to which message.
STEPS = st.tuples(
    st.sampled_from(
        (
            *("say", "say", "say", "sent", "doubt", "doubt", "fail", "echo", "escaped", "foreign"),
            *("delivered", "read", "page", "history", "history with it", "tick"),
        )
    ),
    NUMBERS,
    TEXTS,
)


def happens(talk: Talk, word: str, msg_id: str, text: str, said: dict[str, str]) -> list[Effect]:
    """One step; the effects of it."""
    words = said.get(msg_id, "nothing")
    line = {"event": "message", "party_id": CHAT, "msg_id": msg_id, "msg": words}
    if word == "say":
        effects = talk.receives(c.SendText(text))
        said[next(reversed(talk.outbox))] = text
        return effects
    steps: dict[str, Any] = {
        "sent": lambda: talk.sent(msg_id),
        "doubt": lambda: talk.doubts(msg_id),
        "fail": lambda: talk.fails(msg_id),
        "echo": lambda: talk.echoes(msg_id, words) if msg_id in said else [],
        "escaped": lambda: talk.echoes(msg_id, html.escape(words)) if msg_id in said else [],
        "foreign": lambda: talk.echoes("1", "of another device"),
        "delivered": lambda: talk.delivered(msg_id),
        "read": lambda: talk.read(msg_id),
        "page": lambda: talk.recalls_history(complete=False),
        "history": talk.recalls_history,
        "history with it": lambda: talk.recalls_history(*([line] if msg_id in said else [])),
        "tick": lambda: talk.ticks(at=talk.now + 7.0),
    }
    effects: list[Effect] = steps[word]()
    return effects


@given(steps=st.lists(STEPS, max_size=40), ends=st.booleans())
def test_every_message_has_one_fate(
    talks: type[Talk], steps: list[tuple[str, str, str]], ends: bool
) -> None:
    """Every message said is at each moment in one state, reached by a row, and told once."""
    talk = talks(max_unsent=64)
    said: dict[str, str] = {}
    before: dict[str, str] = {}
    for word, msg_id, text in steps:
        effects = happens(talk, word, msg_id, text, said)
        follow(before, talk.outbox, effects, again=word.startswith("history"))
        before = talk.outbox
        assert list(before) == list(said), "forgotten, or never said"
    if ends:
        effects = talk.ends()
        for msg_id, state in before.items():
            now_in_doubt = MessageUnconfirmed(msg_id, "the session is over") in effects
            assert now_in_doubt == (state == "pending")
            assert talk.outbox[msg_id] == ("unconfirmed" if state == "pending" else state)
    tell_once(talk.told)


def follow(
    before: dict[str, str], after: dict[str, str], effects: list[Effect], *, again: bool
) -> None:
    """A step tells what it moves, and moves nothing that it does not tell."""
    posted = [i for effect in effects if isinstance(effect, SendEvents) for i in effect.msg_ids]
    arrived = [effect.msg_id for effect in effects if isinstance(effect, MessageSent)]
    failed = [effect.msg_id for effect in effects if isinstance(effect, MessageFailed)]
    doubted = [effect.msg_id for effect in effects if isinstance(effect, MessageUnconfirmed)]
    for msg_id, state in after.items():
        was = before.get(msg_id)
        if was is None:
            assert (state, posted.count(msg_id)) == ("pending", 1)
            continue
        assert state == was or state in DELIVERY.moves[was].values(), "a move that is in no row"
        was_open, is_open = (s in {"pending", "unconfirmed"} for s in (was, state))
        assert arrived.count(msg_id) == (was_open and not is_open and state != "failed")
        assert failed.count(msg_id) == (was != "failed" and state == "failed")
        assert doubted.count(msg_id) == (was == "pending" and state == "unconfirmed")
        sent_again = again and was == "unconfirmed" and state == "pending"
        assert posted.count(msg_id) == sent_again, "sent again where nobody knows"


def tell_once(told: list[Effect]) -> None:
    """A message arrives or fails once, and never both."""
    ids = [effect.msg_id for effect in told if isinstance(effect, (MessageSent, MessageFailed))]
    assert len(ids) == len(set(ids))


class Server:
    """A server that receives posts, and whose replies may be lost; its log is the truth."""

    def __init__(self) -> None:
        self.log: list[dict[str, Any]] = []
        self.escapes = False

    def receives(self, events: tuple[dict[str, Any], ...]) -> None:
        """A post has arrived."""
        for event in events:
            line = {**event, "party_id": CHAT.upper() if self.escapes else CHAT}
            if self.escapes and "msg" in line:
                line["msg"] = html.escape(str(line["msg"]))
            self.log.append(line)

    def ids(self) -> list[str]:
        """The ids of the messages that arrived, in order."""
        return [str(line["msg_id"]) for line in self.log if line.get("msg_id")]


class Wire:
    """A transport between a session and a server: posts arrive or not, replies come or not."""

    def __init__(self, talk: Talk) -> None:
        self.talk, self.server = talk, Server()
        self.waiting: list[SendEvents] = []

    def carries(self, effects: list[Effect]) -> None:
        """What is to be sent waits for its turn."""
        self.waiting += [effect for effect in effects if isinstance(effect, SendEvents)]

    def posts(self, *, arrives: bool, replied: bool) -> None:
        """The oldest post goes out; without a reply nobody knows whether it arrived."""
        if not self.waiting:
            return
        post = self.waiting.pop(0)
        if arrives:
            self.server.receives(post.events)
        if arrives and replied:
            self.carries(self.talk.sent(*post.msg_ids))
        else:
            self.carries(self.talk.doubts(*post.msg_ids))

    def asks(self, first: int, last: int, *, complete: bool) -> None:
        """A part of the history comes, or all of it."""
        log = self.server.log if complete else self.server.log[first:last]
        self.carries(self.talk.recalls_history(*log, complete=complete))

    def echoes(self, number: int) -> None:
        """The server sends one line of its log to those who poll."""
        if self.server.log:
            line = self.server.log[number % len(self.server.log)]
            fields = {name: value for name, value in line.items() if name != "event"}
            self.carries(self.talk.hears(line["event"], **fields))


SAID = st.one_of(
    st.builds(c.SendText, TEXTS),
    st.builds(c.SendText, TEXTS, st.just("<b>hi</b>")),
    st.builds(c.SendFile, st.sampled_from(("F1", "F2")), st.just("image")),
    st.builds(c.SendLocation, st.sampled_from((1.5, 2.25, 0.1)), st.sampled_from((0.5, -0.1))),
)
DEEDS = st.one_of(
    st.tuples(st.just("say"), SAID),
    st.tuples(st.just("post"), st.sampled_from(((True, True), (True, False), (False, False)))),
    st.tuples(st.just("ask"), st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans())),
    st.tuples(st.just("echo"), st.integers(0, 9)),
    st.tuples(st.just("prompt"), st.integers(0, 9)),
    st.tuples(st.just("key"), st.none()),
)


def does(wire: Wire, deed: str, how: Any) -> None:
    """One deed of an app, a transport or a server."""
    talk = wire.talk
    if deed == "say":
        wire.carries(talk.receives(how))
    elif deed == "post":
        wire.posts(arrives=how[0], replied=how[1])
    elif deed == "ask":
        wire.asks(how[0], how[1], complete=how[2])
    elif deed == "echo":
        wire.echoes(how)
    elif deed == "prompt":
        wire.carries(talk.shows(str(how), ""))
    else:
        wire.carries(talk.receives(c.StartTyping()))


@given(deeds=st.lists(DEEDS, max_size=40), escapes=st.booleans())
def test_nothing_arrives_twice_and_nothing_is_lost(
    talks: type[Talk], deeds: list[tuple[str, Any]], escapes: bool
) -> None:
    """Whatever posts and replies get lost, each message arrives once, after a complete history.

    At no moment has the server anything twice; and once a complete history has come and the posts
    that follow from it went through, it has everything, and the session knows that it has.
    """
    wire = Wire(talks())
    wire.server.escapes = escapes
    for deed, how in deeds:
        does(wire, deed, how)
        assert len(wire.server.ids()) == len(set(wire.server.ids())), "arrived twice"

    wire.asks(0, 0, complete=True)
    while wire.waiting:
        wire.posts(arrives=True, replied=True)

    said = [how for deed, how in deeds if deed == "say"]
    assert sorted(wire.server.ids(), key=int) == [str(2 * n + 1) for n in range(len(said))]
    assert set(wire.talk.outbox.values()) <= {"sent"}
    assert len(wire.talk.outbox) == len(said)
    tell_once(wire.talk.told)
    assert not [effect for effect in wire.talk.told if isinstance(effect, MessageReceived)]
    wire.asks(0, 0, complete=True)
    assert wire.waiting == []


@given(
    texts=st.lists(TEXTS, min_size=1, max_size=8),
    arrives=st.lists(st.booleans(), min_size=8, max_size=8),
    cut=st.integers(0, 8),
)
def test_pages_in_any_order_resolve_all_doubt(
    talks: type[Talk], texts: list[str], arrives: list[bool], cut: int
) -> None:
    """What arrived is confirmed and what did not is sent again, whichever page comes first."""
    wire = Wire(talks())
    for text, arrived in zip(texts, arrives, strict=False):
        wire.carries(wire.talk.receives(c.SendText(text)))
        wire.posts(arrives=arrived, replied=False)
    assert set(wire.talk.outbox.values()) == {"unconfirmed"}

    wire.asks(cut, 99, complete=False)
    assert wire.waiting == []
    wire.carries(wire.talk.recalls_history(*wire.server.log[:cut]))

    states = ["sent" if arrived else "pending" for arrived in arrives[: len(texts)]]
    assert list(wire.talk.outbox.values()) == states
    sent_again = [i for post in wire.waiting for i in post.msg_ids]
    assert sent_again == [i for i, state in wire.talk.outbox.items() if state == "pending"]


@given(steps=st.lists(STEPS, max_size=40), limit=st.integers(1, 4))
def test_the_outbox_stays_bounded(
    talks: type[Talk], steps: list[tuple[str, str, str]], limit: int
) -> None:
    """Whatever comes, no more wait than may, and no more are remembered than that beside them."""
    talk = talks(max_unsent=limit)
    said: dict[str, str] = {}
    for word, msg_id, text in steps:
        waiting = sum(state in {"pending", "unconfirmed"} for state in talk.outbox.values())
        if word == "say" and waiting >= limit:
            assert "messages wait to be sent" in talk.tried(c.SendText(text))
        else:
            happens(talk, word, msg_id, text, said)
        states = list(talk.outbox.values())
        open_now = sum(state in {"pending", "unconfirmed"} for state in states)
        assert open_now <= limit
        assert len(states) <= 2 * limit
