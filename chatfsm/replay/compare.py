"""Comparison of two replays: the first effect of each chat that differs.

    comparison = compare(ReplayedLogs(["before.jsonl"]), ReplayedLogs(["after.jsonl"]))
    for difference in comparison.different:
        print(difference.chat_id, difference.index, difference.a, difference.b)

The two sides may be two logs, one log with two settings, or what `chatfsm replay --json` printed
for one log with two versions of chatfsm. Chats are matched by their ids; if each side has one chat,
they are matched whatever their ids are. Effects are compared as JSON, without their times.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen

from chatfsm._plain import json_text
from chatfsm._protocol import json_input
from chatfsm.effects import to_json
from chatfsm.errors import DecodeError, UnreadableLogError
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.stream_replay import ReplayedChat, replay_logs
from chatfsm.settings import Settings

__all__ = [
    "Comparison",
    "Difference",
    "EffectFile",
    "ReplayedLogs",
    "ReportedEffect",
    "Side",
    "compare",
    "is_effect_file",
    "reported",
    "text_hash",
]

# The first line of an effect file is shorter than this.
_HEAD: Final = 64 * 1024


@frozen
class ReportedEffect:
    """One effect of a chat, as `chatfsm replay --json` prints it."""

    seq: int
    """Index of the event in its chat, from 0."""
    at: float
    """Seconds on the clock of the log."""
    text: str
    """The effect as canonical JSON."""

    def to_json(self) -> dict[str, Any]:
        """Return the effect as a JSON value."""
        return {"seq": self.seq, "at": self.at, **json.loads(self.text)}


OnEffect = Callable[[str, ReportedEffect], object]
"""Callback with the chat's id and each of its effects."""


class Side(ABC):
    """A side of a comparison; each pass reads its files again."""

    @abstractmethod
    def read(self, on_effect: OnEffect, /) -> None:
        """Call back with all effects, each chat's in order. Raises the errors of reading."""

    def hashes(self) -> dict[str, array[int]]:
        """The hash of each effect, chat by chat."""
        found: dict[str, array[int]] = {}

        def add(chat_id: str, effect: ReportedEffect) -> None:
            found.setdefault(chat_id, array("q")).append(text_hash(effect.text))

        self.read(add)
        return found

    def effects_at(self, indices: dict[str, int]) -> dict[str, ReportedEffect]:
        """The effect of each chat at its index; chats that have none there are left out."""
        counts = dict.fromkeys(indices, 0)
        found: dict[str, ReportedEffect] = {}

        def look(chat_id: str, effect: ReportedEffect) -> None:
            if chat_id in counts:
                if counts[chat_id] == indices[chat_id]:
                    found[chat_id] = effect
                counts[chat_id] += 1

        self.read(look)
        return found


def text_hash(text: str) -> int:
    """A hash of an effect's text in 64 bits, the same in all processes."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)


@frozen
class ReplayedLogs(Side):
    """Logs, replayed with some settings."""

    names: Sequence[str]
    """Paths of logs, directories and patterns, as `open_logs` takes them."""
    settings: Settings = field(factory=Settings)
    """Settings of the sessions; a journal is replayed with its own."""

    def read(self, on_effect: OnEffect) -> None:
        """Replay all chats. Raises as `replay_logs` does."""

        def report(chat: ReplayedChat, step: ReplayStep) -> None:
            for effect in reported(step):
                on_effect(chat.session.chat_id, effect)

        for _ in replay_logs(self.names, settings=self.settings, on_step=report):
            pass


def reported(step: ReplayStep) -> Iterator[ReportedEffect]:
    """The effects of a step."""
    for effect in step.effects:
        yield ReportedEffect(step.seq, step.at, json_text(to_json(effect)))


@frozen
class EffectFile(Side):
    """The output of `chatfsm replay --json`, perhaps of another version."""

    name: str
    """Path of the file, which is not compressed."""

    def read(self, on_effect: OnEffect) -> None:
        """Read all lines. Raises `UnreadableLogError` at one that is no effect."""
        for number, line in _lines(self.name):
            chat_id, effect = _parsed(line)
            if effect is None:
                where = f"{self.name}: line {number}"
                raise UnreadableLogError(f"{where}: not an effect of chatfsm replay --json")
            on_effect(chat_id, effect)


def _parsed(line: bytes) -> tuple[str, ReportedEffect | None]:
    """The chat's id and the effect of a line; None if it has no effect."""
    try:
        value: Any = json_input.parse(line)
        chat_id, seq, at = value.pop("chat_id"), value.pop("seq"), value.pop("at")
        effect = ReportedEffect(int(seq), float(at), json_text(value))
    except (DecodeError, AttributeError, KeyError, TypeError, ValueError):
        return "", None
    return str(chat_id), effect if isinstance(chat_id, str) and "effect" in value else None


def is_effect_file(name: str) -> bool:
    """Whether a file begins with an effect, as `chatfsm replay --json` prints it."""
    try:
        with Path(name).open("rb") as file:
            value = json_input.parse(file.read(_HEAD).partition(b"\n")[0])
    except (OSError, DecodeError, ValueError):
        return False
    return isinstance(value, dict) and {"chat_id", "seq", "at", "effect"} <= value.keys()


def _lines(name: str) -> Iterator[tuple[int, bytes]]:
    try:
        with Path(name).open("rb") as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
    except OSError as error:
        raise UnreadableLogError(f"{name}: {error.strerror}") from error


# Comparing.


@define
class Difference:
    """The first difference of a chat; a side without a further effect has None."""

    chat_id: str
    """Id of the chat, as the first side has it."""
    index: int
    """Number of equal effects before it."""
    a: ReportedEffect | None = None
    """The effect of the first side; None if it has no further one."""
    b: ReportedEffect | None = None
    """The effect of the second side; None if it has no further one."""

    def to_json(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
        sides = {side: each and each.to_json() for side, each in (("a", self.a), ("b", self.b))}
        return {"chat_id": self.chat_id, "equal_effects": self.index, **sides}


@define
class Comparison:
    """The result: equal chats, differences, and the ids of chats that only one side has."""

    same: int = 0
    """Number of chats whose effects are equal."""
    different: list[Difference] = field(factory=list)
    """The first difference of each other chat that both sides have."""
    only_a: list[str] = field(factory=list)
    """Ids of the chats that the second side lacks."""
    only_b: list[str] = field(factory=list)
    """Ids of the chats that the first side lacks."""

    @property
    def is_equal(self) -> bool:
        """Whether the two sides have the same chats with the same effects."""
        return not (self.different or self.only_a or self.only_b)

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "same": self.same,
            "different": [difference.to_json() for difference in self.different],
            "only_a": self.only_a,
            "only_b": self.only_b,
        }


def compare(a: Side, b: Side) -> Comparison:
    """Compare two sides, each of which is read twice if a chat differs.

    Memory: 8 bytes an effect of `a`. Raises `UnreadableLogError` if a side cannot be read.
    """
    hashes_a, hashes_b = a.hashes(), b.hashes()
    names = {chat_id: chat_id for chat_id in hashes_a if chat_id in hashes_b}
    if len(hashes_a) == len(hashes_b) == 1:
        names = dict(zip(hashes_a, hashes_b, strict=True))
    result = Comparison(
        only_a=[chat_id for chat_id in hashes_a if chat_id not in names],
        only_b=[chat_id for chat_id in hashes_b if chat_id not in names.values()],
    )
    for id_a, id_b in names.items():
        index = _first_difference(hashes_a[id_a], hashes_b[id_b])
        if index is None:
            result.same += 1
        else:
            result.different.append(Difference(id_a, index))
    at = {difference.chat_id: difference for difference in result.different}
    if at:
        for chat_id, effect in a.effects_at({each: at[each].index for each in at}).items():
            at[chat_id].a = effect
        indices = {names[each]: at[each].index for each in at}
        originals = {id_b: id_a for id_a, id_b in names.items()}
        for chat_id, effect in b.effects_at(indices).items():
            at[originals[chat_id]].b = effect
    return result


def _first_difference(a: array[int], b: array[int]) -> int | None:
    if a == b:
        return None
    pairs = enumerate(zip(a, b, strict=False))
    return next(chain((at for at, (one, other) in pairs if one != other), (min(len(a), len(b)),)))
