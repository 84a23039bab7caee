"""The session behaves like the model, after each step of any stream of inputs.

In these points the model follows the session, although the design suggests otherwise:

- A text of a history answers all text prompts shown before it, not only the latest: the pages of a
  history come in any order.
- An older edit is reported after a newer one; a first case event without an id is reported.
- A history after the end changes nothing.
- A repeated `completed` with another estimate stops no typing: only the number has changed.
- A repeated text of a history is explained before the prompts close that it answers.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from chatfsm import (
    ChatSession,
    History,
    LocalProtocolError,
    Lost,
    SendFailed,
    Sent,
    Settings,
    Tick,
    commands,
    decode,
    effects,
    events,
)
from chatfsm.testing.strategies import (
    odd_wire_events,
    past_wire_events,
    wire_events,
    with_exact_times,
)
from tests.session.model import model

STREAMS = 4 * settings().max_examples
"""400 streams; 20,000 with CHATFSM_HYPOTHESIS=large."""
TIMED = (
    *(events.PartyJoined, events.PartyLeft, events.FormShow, events.SecureFormShow),
    *(events.CaseSet, events.Info),
)
# The types of parties that are human agents (PROTOCOL.md §2).
PEOPLE = ("internal", "msteams")
READ_SIDE = (
    *("state", "parties", "typing", "forms", "warning", "call", "early_candidates", "case_id"),
    *("service_name", "cobrowsing", "outcome", "outcome_text", "outbox", "deadline", "done"),
    *("agent", "human_present"),
)


@frozen
class Repeat:
    """An event received before, by its index."""

    index: int


@frozen
class Restart:
    """A snapshot, restored on a clock that is `ahead` seconds ahead."""

    ahead: int


@frozen
class PastEvents:
    """A history: earlier events, by their indexes, and others, in this order."""

    events: tuple[Any, ...]
    complete: bool


def decode_one(item: Any) -> Any:
    [event] = decode([item])
    return with_exact_times(event)


# Few values of each, so that ids, contents and times are equal often.
PARTIES = st.sampled_from(("A", "A", "B", "B", "chat-1", "CHAT-1", None))
IDS = st.sampled_from(("1", "2", "3", "5"))
TEXTS = st.sampled_from(("hello", "", "<b>", "&lt;b&gt;"))
TIMES = st.sampled_from((None, 1, "2", 3, 4_000_000_000_000))
SMALL = {
    "party_id": PARTIES,
    "msg_id": st.one_of(IDS, st.none()),
    "ref_msg_id": IDS,
    "timestamp": TIMES,
    "form_request_id": IDS,
    "form_name": st.sampled_from(("", "survey")),
    "form_content": st.sampled_from((None, "Which?")),
    "data": st.sampled_from(({"answer": "yes"}, {"answer": "yes"}, None, "Form not found")),
    "file_url": st.sampled_from(("https://f", "https://g")),
    "form_id": st.sampled_from(("", "survey")),
    "form_timeout": st.sampled_from((None, 0, 10, 30.5)),
    "file_id": st.sampled_from(("f", "g")),
    "display_name": st.sampled_from((None, "Ann", "Ben")),
    "type": st.sampled_from(("internal", "msteams", "external")),
    "case_id": st.sampled_from((None, "", "case-1", "case-2")),
    "service_name": st.sampled_from((None, "", "Bank", "Library")),
    "state": st.sampled_from(("ivr", "queued", "connecting", "connected", "completed")),
    "ewt": st.sampled_from((None, "", "0", 10)),
    "msg": TEXTS,
    "msg_text": st.sampled_from((None, "hello", "")),
    "attachments": st.sampled_from((None, None, [{"id": "a"}], [{"id": "a", "content": "b"}])),
}
NAMES = {
    "status": ("state", "ewt"),
    "party_joined": ("party_id", "type", "display_name", "timestamp"),
    "party_left": ("party_id", "timestamp"),
    "message": ("party_id", "msg_id", "msg", "msg_text", "attachments", "timestamp"),
    "message_edit": ("party_id", "ref_msg_id", "msg", "msg_text", "timestamp"),
    "message_delete": ("party_id", "ref_msg_id", "timestamp"),
    "file_url": ("party_id", "msg_id", "file_url", "timestamp"),
    "message_delivered": ("party_id", "ref_msg_id", "timestamp"),
    "message_read": ("party_id", "ref_msg_id", "timestamp"),
    "typing": ("party_id",),
    "not_typing": ("party_id",),
    "form_show": ("form_request_id", "form_name", "form_timeout", "form_content", "timestamp"),
    "secure_form_show": ("form_request_id", "form_id", "timestamp"),
    "form_data": ("form_request_id", "data", "timestamp"),
    "secure_form_cancel": ("form_request_id", "party_id", "timestamp"),
    "timeout_warning": ("msg", "msg_text"),
    "file": ("party_id", "msg_id", "file_id", "timestamp"),
    "location": ("party_id", "msg_id", "timestamp"),
    "case_set": ("case_id", "timestamp"),
    "info": ("service_name", "timestamp"),
    "cobrowsing_requested": ("party_id", "msg_id"),
    "cobrowsing_started": ("party_id", "msg_id"),
}


def items_of(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(names).flatmap(
        lambda name: st.fixed_dictionaries(
            {"event": st.just(f"chat_session_{name}"), **{key: SMALL[key] for key in NAMES[name]}}
        )
    )


small_items = items_of(*NAMES)
small_past_items = items_of(
    *("party_joined", "party_left", "message", "form_show", "form_show", "form_data"),
    *("secure_form_cancel", "case_set", "info", "file", "message_read"),
)
signals = st.fixed_dictionaries(
    {
        "event": st.just("chat_session_signaling"),
        "party_id": PARTIES,
        "msg_id": SMALL["msg_id"],
        "data": st.sampled_from(
            [
                {"type": name}
                for name in (
                    *("REQUEST_CALL", "OFFER_CALL", "ANSWER_CALL", "CALL_REJECTED", "END_CALL"),
                    *("ICE_CANDIDATE", "ICE_CANDIDATE", "CALL_STATE", "NEW"),
                )
            ]
        ),
    }
)
typed = st.one_of(
    st.builds(events.Status, st.sampled_from(("establishing", "parked", "failed", "ended", ""))),
    st.builds(events.Message, SMALL["party_id"], IDS, TEXTS, msg_text=SMALL["msg_text"]),
    st.builds(events.InactivityTimeout, TEXTS, SMALL["msg_text"]),
    st.builds(events.Ended),
)


def among(*choices: Any) -> Any:
    """One of the strategies; more evenly than `one_of`, which flattens nested ones."""
    return st.sampled_from(choices).flatmap(lambda chosen: chosen)


repeats = st.builds(Repeat, st.integers(0, 20))
some_events = among(
    *[small_items.map(decode_one)] * 6,
    signals.map(decode_one),
    wire_events(ending=False).map(decode_one),
    past_wire_events(stamped=False).map(decode_one),
    odd_wire_events().map(decode_one),
    repeats,
    repeats,
)
old_ends = st.sampled_from((events.Ended(), events.Status("failed")))
past_events = among(
    *[small_past_items.map(decode_one)] * 4, some_events, repeats, repeats, repeats, old_ends
)
endings = among(typed, wire_events().map(decode_one), st.builds(Lost, TEXTS))
own_ids = st.lists(st.sampled_from(("1", "3", "5", "7")), min_size=1, max_size=3)
refusals = st.just(commands.SubmitForm("never shown", {}, form_name="survey"))
sends = among(
    st.builds(commands.SendText, TEXTS, html=st.sampled_from((None, None, "<i>hello</i>"))),
    st.builds(Sent, own_ids),
    st.builds(SendFailed, own_ids, st.just("no"), st.booleans()),
    refusals,
)
histories = st.builds(PastEvents, st.lists(past_events, max_size=8).map(tuple), st.booleans())
restarts = st.builds(Restart, st.sampled_from((-1000, -30, 0, 7, 100_000)))
pauses = st.sampled_from((0, 0, 0, 0, 0, 0.5, 10, 29.5, 30))


def event_of(name: str, **fields: Any) -> st.SearchStrategy[Any]:
    """An event with the given values or strategies for fields; the other fields are drawn."""
    drawn = {key: SMALL[key] for key in NAMES[name]} | {
        key: value if isinstance(value, st.SearchStrategy) else st.just(value)
        for key, value in fields.items()
    }
    return st.fixed_dictionaries({"event": st.just(f"chat_session_{name}"), **drawn}).map(
        decode_one
    )


# Sequences of steps that are rare by chance, with a pause before the last.
CUSTOMER = st.sampled_from(("chat-1", None))
A_PROMPT = event_of("form_show", form_name="", form_timeout=None, timestamp=3)
A_TEXT = event_of("message", party_id=CUSTOMER, timestamp=st.sampled_from((1, 3, 3, 5)))


def in_history(*items: st.SearchStrategy[Any]) -> st.SearchStrategy[PastEvents]:
    return st.builds(PastEvents, st.tuples(*items), st.booleans())


def prompt_answered_at(second: int) -> st.SearchStrategy[PastEvents]:
    """A prompt that the customer answered within the same second."""
    prompt = event_of("form_show", form_name="", form_timeout=None, timestamp=second)
    return in_history(prompt, event_of("message", party_id=CUSTOMER, timestamp=second))


live_sequences = among(
    st.tuples(event_of("form_show", form_timeout=10), refusals),
    st.tuples(event_of("typing", party_id="A"), event_of("status", state="completed")),
    st.tuples(
        event_of("party_joined", party_id="A", timestamp=st.sampled_from((2, 3))),
        event_of("party_left", party_id="A", timestamp=st.sampled_from((1, 2))),
    ),
)
past_sequences = among(
    st.tuples(st.sampled_from((3, 4, 6, 8)).flatmap(prompt_answered_at)),
    st.tuples(A_TEXT, restarts, in_history(A_PROMPT)),
)
LIVE = (*[some_events] * 20, *[sends] * 4, st.just(Tick()), restarts, restarts, endings)


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[float, Any]]:
    has_past = draw(st.booleans())
    steps = among(
        *LIVE, *[live_sequences] * 2, *[histories] * 8 * has_past, *[past_sequences] * 3 * has_past
    )
    most = draw(st.integers(1, 40))
    drawn = draw(st.lists(st.tuples(pauses, steps), min_size=most, max_size=most))
    return [
        timed
        for pause, step in drawn
        for *before, last in [step if isinstance(step, tuple) else (step,)]
        for timed in (*((0, item) for item in before), (pause, last))
    ]


class Pair:
    """A session and its model, and the inputs of both."""

    def __init__(self, *, has_history: bool, explain: bool = False) -> None:
        self.settings = Settings(explain=explain)
        self.session = ChatSession("chat-1", settings=self.settings)
        self.model = model.Model("chat-1", explain=explain)
        self.now = 0.0
        self.received: list[Any] = []
        self.contents: dict[object, set[object]] = {}
        """Of what a history may not contradict, by kind, id and second."""
        self.has_history = has_history
        """Whether histories come: then parties and forms without a timestamp do not."""

    def apply(self, item: Any) -> None:
        match item:
            case Restart(ahead):
                kept = self.session.snapshot(now=self.now)
                self.now += ahead
                self.session = ChatSession.restore(kept, settings=self.settings, now=self.now)
                self.model = model.restarted(self.model, ahead)
            case PastEvents():
                found = [self.found(event) for event in item.events]
                kept = [event for event in found if event is not None and self.is_defined(event)]
                self.feed(History(kept, complete=item.complete))
            case _:
                event = self.found(item)
                if event is not None and not (self.has_history and is_undated(event)):
                    self.feed(event)

    def found(self, item: Any) -> Any:
        """The earlier event of an index, else the item itself, which is indexed from now on."""
        if isinstance(item, Repeat):
            return self.received[item.index] if item.index < len(self.received) else None
        if isinstance(item, events.Event):
            self.received.append(item)
        return item

    def is_defined(self, event: events.Event) -> bool:
        """Whether the model defines the effect of this event in a history."""
        if is_undated(event) or (isinstance(event, events.Info) and not event.service_name):
            return False
        if isinstance(event, events.Message) and event.timestamp is None:
            return not self.model.own(event)
        kind, content = content_of(self.model, event)
        known = self.contents.setdefault(kind, {content})
        return kind is None or known == {content}

    def feed(self, item: Any) -> None:
        for event in item.events if isinstance(item, History) else [item]:
            kind, content = content_of(self.model, event)
            self.contents.setdefault(kind, set()).add(content)
        try:
            reported = self.session.receive(item, now=self.now)
        except LocalProtocolError:
            reported = None
        if isinstance(item, commands.SendText) and reported:
            item = evolve(item, msg_id=reported[-1].msg_ids[0])
            assert item.msg_id not in self.model.sent, "an id that was used before"
        try:
            self.model, expected = model.step(self.model, item, self.now)
        except LocalProtocolError:
            assert reported is None
            assert self.seen() == self.expected()
            return
        assert reported is not None
        assert comparable(reported, item) == comparable(expected, item)
        if isinstance(item, History):
            self.copy_order()
        assert self.seen() == self.expected()

    def copy_order(self) -> None:
        parties = {party.party_id: party for party in self.session.parties}
        forms = {form.request_id: form for form in self.session.forms}
        assert parties == self.model.parties
        assert forms == self.model.forms
        self.model.parties, self.model.forms = parties, forms

    def seen(self) -> dict[str, Any]:
        counts = {name: getattr(self.session.counts, name) for name in model.COUNTS}
        return {"counts": counts, **{name: getattr(self.session, name) for name in READ_SIDE}}

    def expected(self) -> dict[str, Any]:
        known = self.model
        people = [party for party in known.parties.values() if party.type in PEOPLE]
        return {
            **{name: getattr(known, name) for name in READ_SIDE if hasattr(known, name)},
            "counts": known.counts,
            "parties": tuple(known.parties.values()),
            "agent": people[-1] if people else None,
            "human_present": bool(people),
            "typing": tuple(known.typing),
            "forms": tuple(known.forms.values()),
            "deadline": next((at for at, *_ in known.deadlines()), None),
            "case_id": known.newest.get(events.CaseSet, (None,))[0],
            "service_name": known.newest.get(events.Info, (None,))[0],
            "done": known.outcome is not None,
        }


def is_undated(item: Any) -> bool:
    return isinstance(item, TIMED) and item.timestamp is None


def content_of(known: model.Model, event: Any) -> tuple[object, object]:
    """The kind and the content of an event that a server sends once within a second."""
    match event:
        case events.PartyJoined(party_id=_, timestamp=at):
            names = (event.type, event.display_name, event.first_name, event.last_name)
            return ("party", known.party(event), at), names
        case events.FormShow(form_request_id=i, timestamp=at):
            return ("form", i, at), repr(event)
        case events.SecureFormShow(form_request_id=i, timestamp=at):
            return ("form", i, at), repr(event)
        case events.CaseSet(case_id=value, timestamp=at):
            return ("case", at), value
        case events.Info(service_name=value, timestamp=at):
            return ("service", at), value
    return None, None


def comparable(reported: Any, item: Any) -> list[Any]:
    """Effects without the texts of anomalies.

    Of a history: forms that one text closes, in one order, and all ignored events last.
    """
    plain = [evolve(e, text="") if isinstance(e, effects.Anomaly) else e for e in reported]
    if not isinstance(item, History):
        return plain
    plain.sort(key=lambda effect: isinstance(effect, effects.Ignored))
    found: list[Any] = []
    for is_closed, group in groupby(plain, lambda effect: isinstance(effect, effects.FormClosed)):
        run = list(group)
        found += sorted(run, key=lambda effect: effect.form.request_id) if is_closed else run
    return found


@settings(max_examples=STREAMS)
@given(stream=streams(), explain=st.booleans())
def test_the_session_behaves_like_the_model(stream: list[tuple[float, Any]], explain: bool) -> None:
    """The effects, the state and the counts are equal after each step."""
    pair = Pair(
        has_history=any(isinstance(item, PastEvents) for _, item in stream), explain=explain
    )
    for pause, item in stream:
        pair.now += pause
        pair.apply(item)
