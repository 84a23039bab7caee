"""Decoded events to effects: chatfsm beside the floor and the state machine libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Any, Final

from attrs import evolve, frozen

from chatfsm import ChatSession
from tests.bench.floor import Floor
from tests.bench.hearing import Heard, effects_of, hear_all, heard
from tests.bench.instructions import Counts, counted, with_instructions
from tests.bench.lean_floor import LeanFloor
from tests.bench.measure import Times, Work, interleave, timed
from tests.bench.peers.with_xstate import Node, is_there
from tests.bench.report import Row, absent, absolute, at_least, at_most
from tests.bench.scale import Scale
from tests.bench.workloads import EVENTS_A_CHAT, chats

__all__ = ["created", "fed", "say_the_same"]

GROUP: Final = "decoded events → effects, an event"
PIP: Final = "pip install -r tests/bench/requirements.txt"
NPM: Final = "npm install --no-package-lock --prefix tests/bench/xstate"


@frozen
class Library:
    """A peer: the way that its own documentation shows has the target, other ways are shown."""

    name: str
    module: str
    cls: str
    target: float | None
    """How many times as fast we want to be; None: there is no target."""

    def maker(self) -> Callable[[str], Any] | None:
        """What makes one of its sessions; None where the library is not there."""
        try:
            return getattr(import_module(f"tests.bench.peers.{self.module}"), self.cls)
        except ModuleNotFoundError as error:
            if str(error.name).startswith("tests"):
                raise
            return None


LIBRARIES: Final = (
    Library("transitions, a Machine a session", "with_transitions", "Chat", 15.0),
    Library("transitions, no to_STATE triggers", "with_transitions", "Lean", None),
    Library("transitions, one Machine for all", "with_transitions", "Sharing", None),
    Library("Automat", "with_automat", "Chat", None),
    Library("python-statemachine", "with_statemachine", "Chat", 120.0),
    Library("python-statemachine, no statechart", "with_statemachine", "Plain", None),
)
# What it is called, how `run.mjs` is told so, how many times as fast we want to be.
XSTATE: Final = (
    ("XState actor, in node", (), 9.0),
    ("XState, what was told in place", ("in-place",), None),
)


def fed(scale: Scale) -> Iterator[Row]:
    """The session layer beside all peers that are there."""
    log = [heard(chat) for chat in chats(scale.chats)]
    works: dict[str, Work] = {
        "chatfsm": timed(lambda: hear_all(log), scale.chats * EVENTS_A_CHAT),
        **_told_by({"floor": Floor, "lean floor": LeanFloor}, log),
    }
    sizes = {
        "with_transitions": scale.transitions_chats,
        "with_automat": scale.automat_chats,
        "with_statemachine": scale.statemachine_chats,
    }
    for library in LIBRARIES:
        made = library.maker()
        if made is not None:
            works |= _told_by({library.name: made}, log[: sizes[library.module]])
    with ExitStack() as stack:
        if is_there():
            works |= {name: _node(stack, log, ways) for name, ways, _ in XSTATE}
        times = interleave(works, scale.rounds)
    names = ["chatfsm", "floor", "lean floor", *(library.name for library in LIBRARIES)]
    counts = counted([name for name in names if name in times], scale.counted_chats)
    yield from _rows(times, counts)


def created(scale: Scale) -> Iterator[Row]:
    """Making sessions, and nothing else."""
    ids = [f"chat-{number}" for number in range(scale.open_sessions)]
    times = interleave(
        {
            "chatfsm": timed(lambda: [ChatSession(chat_id) for chat_id in ids], len(ids)),
            "floor": timed(lambda: [Floor(chat_id) for chat_id in ids], len(ids)),
        },
        scale.rounds,
    )
    yield absolute("sessions", "creating a session", times, "chatfsm", 0.6)
    yield at_most("sessions", "creating a session, vs floor", times, ("chatfsm", "floor"), None)


def say_the_same(maker: Callable[[str], Any], log: Iterable[Heard]) -> None:
    """Raise where a peer tells other kinds of effects, or in another order, than chatfsm does."""
    for chat in log:
        receive = maker(chat.chat_id).receive
        told = [_kinds(receive(event, now)) for event, now in chat.timed]
        if told != [_kinds(effects) for effects in effects_of(chat)]:
            raise AssertionError(f"{maker} tells chat {chat.chat_id} otherwise than chatfsm")


def _rows(times: Times, counts: Counts) -> Iterator[Row]:
    pair = ("chatfsm", "floor")
    yield with_instructions(at_most(GROUP, "vs the floor", times, pair, 0.75), counts, pair)
    lean = "its effects carry the event instead of copying fields"
    pair = ("chatfsm", "lean floor")
    row = at_most(GROUP, "vs the lean floor", times, pair, None)
    yield with_instructions(evolve(row, note=lean), counts, pair)
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


def _told_by(makers: dict[str, Callable[[str], Any]], log: list[Heard]) -> dict[str, Work]:
    works = {}
    for name, maker in makers.items():
        say_the_same(maker, log[:100])
        works[name] = timed(_hearing(maker, log), len(log) * EVENTS_A_CHAT)
    return works


def _hearing(maker: Callable[[str], Any], log: list[Heard]) -> Callable[[], None]:
    def hear() -> None:
        for chat in log:
            receive = maker(chat.chat_id).receive
            for event, now in chat.timed:
                receive(event, now)

    return hear


def _node(stack: ExitStack, log: list[Heard], ways: tuple[str, ...]) -> Work:
    node = stack.enter_context(Node(log, *ways))
    for chat in log[:100]:
        ours = [kind for effects in effects_of(chat) for kind in _kinds(effects)]
        if node.kinds[chat.chat_id] != ours:
            raise AssertionError(f"XState tells chat {chat.chat_id} otherwise than chatfsm")
    return lambda: node.hear_all() / (len(log) * EVENTS_A_CHAT)


def _kinds(effects: Iterable[object]) -> list[str]:
    return [type(effect).__name__ for effect in effects]
