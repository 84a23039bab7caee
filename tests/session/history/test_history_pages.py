"""Pages of a history: the same comes of them in whatever order, overlap and number they come."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from attrs import asdict, evolve
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import ChatSession, History, commands, decode, effects
from chatfsm._plain import canonical_json
from chatfsm._session.state import Counts
from chatfsm.testing.strategies import odd_wire_events, past_wire_events, wire_histories

Items = list[dict[str, Any]]

SOME = st.lists(
    st.one_of(past_wire_events(stamped=False), odd_wire_events()), min_size=1, max_size=8
)


def started() -> ChatSession:
    """A session in which the app has said two things, of which one is in doubt."""
    session = ChatSession("chat-1")
    for text in ("hello", "<b>hello</b>"):
        session.receive(commands.SendText(text), now=0.0)
    return session


def reads(session: ChatSession, pages: list[Items]) -> list[effects.Effect]:
    """All that follows from these pages, the last of which completes them."""
    told: list[effects.Effect] = []
    for number, page in enumerate(pages, 1):
        history = History(decode(page), complete=number == len(pages))
        told += session.receive(history, now=0.0)
    return told


def what_was_told(told: list[effects.Effect]) -> set[str]:
    """Messages, files, places and receipts: as who said what under which id."""
    return {json.dumps(key) for key in map(_key, told) if key is not None}


def _key(effect: effects.Effect) -> list[Any] | None:
    key: list[Any] | None = None
    match effect:
        case effects.MessageReceived(message):
            event = message.event
            attached = [canonical_json(attachment) for attachment in event.attachments]
            key = ["message", event.msg, event.msg_text, attached, *_origin(event, message.own)]
        case effects.FileReceived(file):
            event = file.event
            file = effect.file
            content = [file.file_id, file.url, file.file_type, file.file_name]
            key = ["file", *content, *_origin(event, file.own)]
        case effects.LocationReceived(location):
            event = location.event
            content = [event.latitude, event.longitude, event.url]
            key = ["location", *content, *_origin(event, location.own)]
        case effects.DeliveryConfirmed(msg_id, party_id):
            key = ["delivered", msg_id, party_id]
        case effects.ReadConfirmed(msg_id, party_id):
            key = ["read", msg_id, party_id]
        case effects.UnknownReceived(name, raw):
            key = ["unknown", name, str(raw)]
        case _:
            pass
    return key


def _origin(event: Any, own: bool) -> list[Any]:
    """Who said it, and under which id; without one, when."""
    return ["own" if own else event.party_id, event.msg_id or ["at", event.timestamp]]


ASPECTS = {
    "told": lambda _session, told: what_was_told(told),
    "state": lambda session, _told: (session.state, session.outcome, session.done),
    "who is here": lambda session, _told: {str(party) for party in session.parties},
    "order of the roster": lambda session, _told: session.parties,
    "agent": lambda session, _told: (session.agent, session.human_present),
    "which forms": lambda session, _told: {str(form) for form in session.forms},
    "order of the forms": lambda session, _told: session.forms,
    "case": lambda session, _told: session.case_id,
    "service": lambda session, _told: session.service_name,
    "passing": lambda session, _told: (
        (session.typing, session.warning, session.call, session.early_candidates),
        (session.cobrowsing, session.deadline),
    ),
    "outbox": lambda session, _told: session.outbox,
}
each_aspect = pytest.mark.parametrize("aspect", ASPECTS)

# What bears on an aspect; the rest is looked at with all topics in one history.
TOPIC_OF = {
    "who is here": "roster",
    "order of the roster": "roster",
    "agent": "roster",
    "which forms": "forms",
    "order of the forms": "forms",
    "case": "service",
    "service": "service",
}


def about(aspect: str, *, stamped: bool = True) -> st.SearchStrategy[Items]:
    """Histories of what bears on this aspect."""
    topic = TOPIC_OF.get(aspect)
    return wire_histories(topic, stamped=stamped) if topic else wire_histories(stamped=stamped)


def agree(aspect: str, one: list[Items], other: list[Items]) -> None:
    """Two ways of paging lead to the same, in one respect."""
    first, second = started(), started()
    told = reads(first, one)
    told_otherwise = reads(second, other)
    look = ASPECTS[aspect]
    assert look(first, told) == look(second, told_otherwise)


@st.composite
def split(draw: st.DrawFn, items: Items) -> list[Items]:
    """The items in pages, in their order."""
    cuts = sorted(draw(st.lists(st.integers(0, len(items)), max_size=4)))
    ends = [*cuts, len(items)]
    return [items[start:end] for start, end in zip([0, *cuts], ends, strict=True)]


@st.composite
def overlapping(draw: st.DrawFn, items: Items) -> list[Items]:
    """Pages that hold all of the items between them, some of them more than once."""
    pages = draw(split(items))
    more = draw(st.lists(st.sampled_from(pages), max_size=2))
    start = draw(st.integers(0, len(items)))
    return [*pages, *more, items[start : start + 3]]


@cache
def paged(aspect: str, *, stamped: bool = True) -> st.SearchStrategy[list[Items]]:
    """Such histories, in pages."""
    return about(aspect, stamped=stamped).flatmap(split)


@each_aspect
@given(st.data())
def test_the_order_of_the_pages_does_not_matter(aspect: str, data: st.DataObject) -> None:
    """Whichever page comes first, the read side and what was told are the same."""
    pages = data.draw(paged(aspect))
    agree(aspect, pages, data.draw(st.permutations(pages)))


@each_aspect
@given(st.data())
def test_the_order_of_pages_without_times_does_not_matter(aspect: str, data: st.DataObject) -> None:
    """The same, where a server leaves out when things happened."""
    pages = data.draw(paged(aspect, stamped=False))
    agree(aspect, pages, data.draw(st.permutations(pages)))


@each_aspect
@given(st.data())
def test_the_overlap_of_the_pages_does_not_matter(aspect: str, data: st.DataObject) -> None:
    """Pages that overlap tell no more and no less than one page that holds all."""
    items = data.draw(about(aspect))
    agree(aspect, [items], data.draw(overlapping(items)))


@each_aspect
@given(st.data())
def test_neither_order_nor_overlap_matters(aspect: str, data: st.DataObject) -> None:
    """Both at once: pages that overlap, in any order."""
    items = data.draw(about(aspect))
    agree(aspect, [items], data.draw(overlapping(items).flatmap(st.permutations)))


@given(SOME, st.booleans())
def test_a_page_that_comes_again_is_no_news(items: list[Any], complete: bool) -> None:
    """The second time a page tells nothing, and changes nothing but counts."""
    session, page = started(), History(decode(items), complete=complete)
    session.receive(page, now=1.0)
    before = remembered(session)
    assert session.receive(page, now=1.0) == []
    assert remembered(session) == before


@given(st.lists(SOME, min_size=1, max_size=4))
def test_pages_that_come_again_are_no_news(pages: list[list[Any]]) -> None:
    """After all pages, none of them is news any more."""
    session = started()
    reads(session, pages)
    before = remembered(session)
    assert reads(session, pages) == []
    assert remembered(session) == before


def remembered(session: ChatSession) -> str:
    """All that a session remembers but its counts, as text."""
    memory = deepcopy(session._state)
    return repr(evolve(memory, **asdict(Counts()), deadline_bound=0.0))


@given(SOME)
def test_all_that_a_history_tells_is_marked(items: list[Any]) -> None:
    """What a history tells bears `replayed`; what is to be sent after it is not past."""
    session = started()
    for effect in session.receive(History(decode(items)), now=1.0):
        assert effect.replayed != isinstance(effect, effects.SendEvents)


LIVE = wire_histories(max_size=5)


@given(LIVE, LIVE, LIVE)
def test_what_was_heard_is_not_told_again(before: Items, then: Items, after: Items) -> None:
    """A history tells the messages, files, places and receipts that did not come live, only."""
    session = ChatSession("chat-1")
    live = [
        effect for event in decode([*before, *then]) for effect in session.receive(event, now=0.0)
    ]
    if session.done:
        return
    told = what_was_told(live)
    news = reads(session, [[*then, *after]])
    assert not what_was_told(news) & told
    assert what_was_told(news) | told >= what_was_told(reads(ChatSession("chat-1"), [then, after]))


@given(LIVE, SOME)
def test_a_history_neither_ends_nor_moves_a_session(live: Items, items: list[Any]) -> None:
    """What is passing is past: a history changes no state, call, warning; nobody starts to type."""
    session = ChatSession("chat-1")
    for event in decode(live):
        session.receive(event, now=0.0)
    before = passing(session)
    typed = set(session.typing)
    told = session.receive(History(decode(items)), now=0.0)
    assert passing(session) == before
    if not session.done:
        assert set(session.typing) <= typed
    kinds = {type(effect) for effect in told}
    assert not kinds & {
        *(effects.StateChanged, effects.Terminated, effects.WaitEstimated, effects.TypingStarted),
        *(effects.WarningRaised, effects.WarningCleared, effects.CallChanged),
        *(effects.SignalReceived, effects.CobrowsingChanged),
    }


def passing(session: ChatSession) -> tuple[Any, ...]:
    return (
        *(session.state, session.outcome, session.outcome_text, session.warning),
        *(session.call, session.early_candidates, session.cobrowsing),
    )
