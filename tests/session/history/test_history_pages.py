"""Pages of a history: their order, overlap and number do not change the result."""

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

MIXED = st.lists(
    st.one_of(past_wire_events(stamped=False), odd_wire_events()), min_size=1, max_size=8
)


def started() -> ChatSession:
    """A session in which the app has sent two messages, both pending."""
    session = ChatSession("chat-1")
    for text in ("hello", "<b>hello</b>"):
        session.receive(commands.SendText(text), now=0.0)
    return session


def feed(session: ChatSession, pages: list[Items]) -> list[effects.Effect]:
    """Feed the pages, the last of which completes the history; return all effects."""
    reported: list[effects.Effect] = []
    for number, page in enumerate(pages, 1):
        history = History(decode(page), complete=number == len(pages))
        reported += session.receive(history, now=0.0)
    return reported


def reported_facts(reported: list[effects.Effect]) -> set[str]:
    """Messages, files, locations and receipts among effects, as keys of party, id and content."""
    return {json.dumps(key) for key in map(_key, reported) if key is not None}


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
    """The party and the msg_id of an event; without a msg_id, the timestamp."""
    return ["own" if own else event.party_id, event.msg_id or ["at", event.timestamp]]


ASPECTS = {
    "reported": lambda _session, reported: reported_facts(reported),
    "state": lambda session, _reported: (session.state, session.outcome, session.done),
    "parties": lambda session, _reported: {str(party) for party in session.parties},
    "order of the roster": lambda session, _reported: session.parties,
    "agent": lambda session, _reported: (session.agent, session.human_present),
    "forms": lambda session, _reported: {str(form) for form in session.forms},
    "order of the forms": lambda session, _reported: session.forms,
    "case": lambda session, _reported: session.case_id,
    "service": lambda session, _reported: session.service_name,
    "transient": lambda session, _reported: (
        (session.typing, session.warning, session.call, session.early_candidates),
        (session.cobrowsing, session.deadline),
    ),
    "outbox": lambda session, _reported: session.outbox,
}
for_each_aspect = pytest.mark.parametrize("aspect", ASPECTS)

# The topic of an aspect; the other aspects are tested with all topics in one history.
TOPIC_OF = {
    "parties": "roster",
    "order of the roster": "roster",
    "agent": "roster",
    "forms": "forms",
    "order of the forms": "forms",
    "case": "service",
    "service": "service",
}


def histories_of(aspect: str, *, stamped: bool = True) -> st.SearchStrategy[Items]:
    """Histories of the topic of this aspect."""
    topic = TOPIC_OF.get(aspect)
    return wire_histories(topic, stamped=stamped) if topic else wire_histories(stamped=stamped)


def check_agreement(aspect: str, one: list[Items], other: list[Items]) -> None:
    """Assert that two ways of paging give the same result in one aspect."""
    first, second = started(), started()
    reported = feed(first, one)
    other_reported = feed(second, other)
    aspect_of = ASPECTS[aspect]
    assert aspect_of(first, reported) == aspect_of(second, other_reported)


@st.composite
def split(draw: st.DrawFn, items: Items) -> list[Items]:
    """The items in pages, in their order."""
    cuts = sorted(draw(st.lists(st.integers(0, len(items)), max_size=4)))
    ends = [*cuts, len(items)]
    return [items[start:end] for start, end in zip([0, *cuts], ends, strict=True)]


@st.composite
def overlapping(draw: st.DrawFn, items: Items) -> list[Items]:
    """Pages that together have all items, some of them more than once."""
    pages = draw(split(items))
    more = draw(st.lists(st.sampled_from(pages), max_size=2))
    start = draw(st.integers(0, len(items)))
    return [*pages, *more, items[start : start + 3]]


@cache
def paged(aspect: str, *, stamped: bool = True) -> st.SearchStrategy[list[Items]]:
    """Histories of the topic of this aspect, in pages."""
    return histories_of(aspect, stamped=stamped).flatmap(split)


@for_each_aspect
@given(st.data())
def test_the_order_of_the_pages_does_not_matter(aspect: str, data: st.DataObject) -> None:
    """The state and the reported facts are the same for any order of the pages."""
    pages = data.draw(paged(aspect))
    check_agreement(aspect, pages, data.draw(st.permutations(pages)))


@for_each_aspect
@given(st.data())
def test_the_order_of_pages_without_times_does_not_matter(aspect: str, data: st.DataObject) -> None:
    """The same holds if the server omits the timestamps."""
    pages = data.draw(paged(aspect, stamped=False))
    check_agreement(aspect, pages, data.draw(st.permutations(pages)))


@for_each_aspect
@given(st.data())
def test_the_overlap_of_the_pages_does_not_matter(aspect: str, data: st.DataObject) -> None:
    """Pages that overlap report no more and no less than one page with all items."""
    items = data.draw(histories_of(aspect))
    check_agreement(aspect, [items], data.draw(overlapping(items)))


@for_each_aspect
@given(st.data())
def test_neither_order_nor_overlap_matters(aspect: str, data: st.DataObject) -> None:
    """Pages that overlap may come in any order."""
    items = data.draw(histories_of(aspect))
    check_agreement(aspect, [items], data.draw(overlapping(items).flatmap(st.permutations)))


@given(MIXED, st.booleans())
def test_a_repeated_page_reports_nothing(items: list[Any], complete: bool) -> None:
    """A repeated page reports nothing, and changes only counts."""
    session, page = started(), History(decode(items), complete=complete)
    session.receive(page, now=1.0)
    before = state_text(session)
    assert session.receive(page, now=1.0) == []
    assert state_text(session) == before


@given(st.lists(MIXED, min_size=1, max_size=4))
def test_repeated_pages_report_nothing(pages: list[list[Any]]) -> None:
    """After all pages, a repetition of them reports nothing."""
    session = started()
    feed(session, pages)
    before = state_text(session)
    assert feed(session, pages) == []
    assert state_text(session) == before


def state_text(session: ChatSession) -> str:
    """The state of a session without its counts, as text."""
    memory = deepcopy(session._state)
    return repr(evolve(memory, **asdict(Counts()), deadline_bound=0.0))


@given(MIXED)
def test_all_effects_of_a_history_are_replayed(items: list[Any]) -> None:
    """Effects of a history have `replayed`, but for messages that are sent after it."""
    session = started()
    for effect in session.receive(History(decode(items)), now=1.0):
        assert effect.replayed != isinstance(effect, effects.SendEvents)


LIVE = wire_histories(max_size=5)


@given(LIVE, LIVE, LIVE)
def test_live_events_are_not_reported_again(before: Items, missed: Items, after: Items) -> None:
    """A history reports only the messages, files, locations and receipts that were not live."""
    session = ChatSession("chat-1")
    live = [
        effect for event in decode([*before, *missed]) for effect in session.receive(event, now=0.0)
    ]
    if session.done:
        return
    reported = reported_facts(live)
    new_effects = feed(session, [[*missed, *after]])
    assert not reported_facts(new_effects) & reported
    assert reported_facts(new_effects) | reported >= reported_facts(
        feed(ChatSession("chat-1"), [missed, after])
    )


@given(LIVE, MIXED)
def test_a_history_does_not_change_the_present(live: Items, items: list[Any]) -> None:
    """A history changes no lifecycle state, call or warning, and starts no typing."""
    session = ChatSession("chat-1")
    for event in decode(live):
        session.receive(event, now=0.0)
    before = transient_state(session)
    typed = set(session.typing)
    reported = session.receive(History(decode(items)), now=0.0)
    assert transient_state(session) == before
    if not session.done:
        assert set(session.typing) <= typed
    kinds = {type(effect) for effect in reported}
    assert not kinds & {
        *(effects.StateChanged, effects.Terminated, effects.WaitEstimated, effects.TypingStarted),
        *(effects.WarningRaised, effects.WarningCleared, effects.CallChanged),
        *(effects.SignalReceived, effects.CobrowsingChanged),
    }


def transient_state(session: ChatSession) -> tuple[Any, ...]:
    return (
        *(session.state, session.outcome, session.outcome_text, session.warning),
        *(session.call, session.early_candidates, session.cobrowsing),
    )
