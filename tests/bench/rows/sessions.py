"""Decoded events to effects: chatfsm compared with plain reducers and state machine libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Any, Final

from attrs import evolve, frozen

from chatfsm import ChatSession
from tests.bench.event_carrying_reducer import EventCarryingReducer
from tests.bench.instructions import Counts, count_instructions, with_instructions
from tests.bench.measure import Times, Work, interleave, timed
from tests.bench.peers.with_xstate import Node, is_there
from tests.bench.plain_reducer import PlainReducer
from tests.bench.report import Row, absent, absolute, at_least, at_most
from tests.bench.scale import Scale
from tests.bench.usage import DecodedChat, decode_chat, effects_of, feed_all
from tests.bench.workloads import EVENTS_A_CHAT, chats

__all__ = ["check_same_effects", "compare_creation", "compare_events"]

GROUP: Final = "decoded events → effects, an event"
PIP: Final = "pip install -r tests/bench/requirements.txt"
NPM: Final = "npm install --no-package-lock --prefix tests/bench/xstate"
PLAIN: Final = "plain reducer"
EVENTS_IN_EFFECTS: Final = "plain reducer, effects with the event"


@frozen
class Library:
    """A peer; the usage that its documentation shows first has the target."""

    name: str
    module: str
    cls: str
    target: float | None
    """The minimum of the peer's time divided by chatfsm's; None if there is no target."""

    def maker(self) -> Callable[[str], Any] | None:
        """Return the constructor of a session; None if the library is not installed."""
        try:
            return getattr(import_module(f"tests.bench.peers.{self.module}"), self.cls)
        except ModuleNotFoundError as error:
            if str(error.name).startswith("tests"):
                raise
            return None


LIBRARIES: Final = (
    Library("transitions, a Machine a session", "with_transitions", "Chat", 15.0),
    Library("transitions, no to_STATE triggers", "with_transitions", "NoAutoTransitions", None),
    Library("transitions, one Machine for all", "with_transitions", "SharedMachine", None),
    Library("Automat", "with_automat", "Chat", None),
    Library("python-statemachine", "with_statemachine", "Chat", 120.0),
    Library("python-statemachine, no statechart", "with_statemachine", "NoStatechart", None),
)
# Name, arguments of `run.mjs`, and the minimum of XState's time divided by chatfsm's.
XSTATE: Final = (
    ("XState actor, in node", (), 9.0),
    ("XState, seen ids changed in place", ("in-place",), None),
)


def compare_events(scale: Scale) -> Iterator[Row]:
    """Yield the rows of the session layer compared with all peers that are installed."""
    log = [decode_chat(chat) for chat in chats(scale.chats)]
    works: dict[str, Work] = {
        "chatfsm": timed(lambda: feed_all(log), scale.chats * EVENTS_A_CHAT),
        **_works({PLAIN: PlainReducer, EVENTS_IN_EFFECTS: EventCarryingReducer}, log),
    }
    sizes = {
        "with_transitions": scale.transitions_chats,
        "with_automat": scale.automat_chats,
        "with_statemachine": scale.statemachine_chats,
    }
    for library in LIBRARIES:
        made = library.maker()
        if made is not None:
            works |= _works({library.name: made}, log[: sizes[library.module]])
    with ExitStack() as stack:
        if is_there():
            works |= {name: _node(stack, log, ways) for name, ways, _ in XSTATE}
        times = interleave(works, scale.rounds)
    names = ["chatfsm", PLAIN, EVENTS_IN_EFFECTS, *(library.name for library in LIBRARIES)]
    counts = count_instructions([name for name in names if name in times], scale.counted_chats)
    yield from _rows(times, counts)


def compare_creation(scale: Scale) -> Iterator[Row]:
    """Yield the rows of the creation of sessions."""
    ids = [f"chat-{number}" for number in range(scale.open_sessions)]
    times = interleave(
        {
            "chatfsm": timed(lambda: [ChatSession(chat_id) for chat_id in ids], len(ids)),
            PLAIN: timed(lambda: [PlainReducer(chat_id) for chat_id in ids], len(ids)),
        },
        scale.rounds,
    )
    yield absolute("sessions", "creating a session", times, "chatfsm", 0.6)
    name = f"creating a session, vs {PLAIN}"
    yield at_most("sessions", name, times, ("chatfsm", PLAIN), None)


def check_same_effects(maker: Callable[[str], Any], log: Iterable[DecodedChat]) -> None:
    """Raise AssertionError if a peer's effects have other kinds or another order."""
    for chat in log:
        receive = maker(chat.chat_id).receive
        returned = [_kinds(receive(event, now)) for event, now in chat.timed]
        if returned != [_kinds(effects) for effects in effects_of(chat)]:
            raise AssertionError(f"{maker} differs from chatfsm for chat {chat.chat_id}")


def _rows(times: Times, counts: Counts) -> Iterator[Row]:
    pair = ("chatfsm", PLAIN)
    yield with_instructions(at_most(GROUP, f"vs {PLAIN}", times, pair, 0.75), counts, pair)
    pair = ("chatfsm", EVENTS_IN_EFFECTS)
    row = at_most(GROUP, f"vs {EVENTS_IN_EFFECTS}", times, pair, None)
    yield with_instructions(evolve(row, note="fields are not copied"), counts, pair)
    peers = (
        *((library.name, library.target, PIP) for library in LIBRARIES),
        *((name, target, f"needs node, and {NPM}") for name, _, target in XSTATE),
    )
    for name, target, needed in peers:
        if name in times:
            pair = ("chatfsm", name)
            row = at_least(GROUP, f"vs {name}", times, pair, target)
            yield with_instructions(row, counts, pair)
        else:
            yield absent(GROUP, f"vs {name}", needed)


def _works(makers: dict[str, Callable[[str], Any]], log: list[DecodedChat]) -> dict[str, Work]:
    works = {}
    for name, maker in makers.items():
        check_same_effects(maker, log[:100])
        works[name] = timed(_feeding(maker, log), len(log) * EVENTS_A_CHAT)
    return works


def _feeding(maker: Callable[[str], Any], log: list[DecodedChat]) -> Callable[[], None]:
    def feed() -> None:
        for chat in log:
            receive = maker(chat.chat_id).receive
            for event, now in chat.timed:
                receive(event, now)

    return feed


def _node(stack: ExitStack, log: list[DecodedChat], ways: tuple[str, ...]) -> Work:
    node = stack.enter_context(Node(log, *ways))
    for chat in log[:100]:
        ours = [kind for effects in effects_of(chat) for kind in _kinds(effects)]
        if node.kinds[chat.chat_id] != ours:
            raise AssertionError(f"XState differs from chatfsm for chat {chat.chat_id}")
    return lambda: node.feed_all() / (len(log) * EVENTS_A_CHAT)


def _kinds(effects: Iterable[object]) -> list[str]:
    return [type(effect).__name__ for effect in effects]
