"""What became of a chat, counted on both sides of it: what was lost, doubled, and left standing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from attrs import field, frozen

from chatfsm.recording.timeline import Tone

__all__ = ["Line", "Outcome", "lines"]


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(texts)


@frozen(kw_only=True)
class Outcome:
    """One client's chat: what the customer's side made of it, and what the center knows."""

    faults: int
    """How many faults have struck."""
    said: tuple[str, ...] = field(converter=_texts)
    """What the customer said."""
    arrived: tuple[str, ...] = field(converter=_texts)
    """What the center has heard of the customer."""
    sent: tuple[str, ...] = field(converter=_texts)
    """What the center said, by its own history."""
    told: tuple[str, ...] = field(converter=_texts)
    """What the customer was told of that."""
    typing: tuple[str, ...] = field(converter=_texts)
    """The names of those who type still, when all is over."""
    forms: tuple[str, ...] = field(converter=_texts)
    """The forms that wait still for an answer, when all is over."""
    late_polls: int
    """How often the center was polled after it had told that the chat is over."""
    was_stopped: bool
    """Whether somebody had to stop the client, which would have gone on."""

    @property
    def lost(self) -> tuple[str, ...]:
        """The texts that did not get through, whoever said them."""
        return (*_more(self.said, self.arrived), *_more(self.sent, self.told))

    @property
    def doubled(self) -> tuple[str, ...]:
        """The texts that got through more often than they were said, as often as that."""
        return (*_more(self.arrived, self.said), *_more(self.told, self.sent))

    @property
    def is_whole(self) -> bool:
        """Whether both sides have heard each other, in order, and the end was understood."""
        is_heard = self.said == self.arrived and self.sent == self.told
        is_standing = self.typing or self.forms or self.late_polls or self.was_stopped
        return is_heard and not is_standing


@frozen
class Line:
    """A line of the verdict: what is asked, and of each client the answer and its tone."""

    question: str
    answers: tuple[tuple[str, Tone], ...]


def _more(these: Iterable[str], those: Iterable[str]) -> tuple[str, ...]:
    """The texts that are more often among these than among those."""
    return tuple((Counter(these) - Counter(those)).elements())


_NOBODY: Final = "nobody"
_NONE: Final = "none"


def lines(outcomes: Iterable[Outcome]) -> Iterator[Line]:
    """The verdict over these clients, a line a question."""
    all_of_them = tuple(outcomes)
    for question, of in _QUESTIONS:
        yield Line(question, tuple(of(outcome) for outcome in all_of_them))


def _count(number: int) -> tuple[str, Tone]:
    return str(number), "plain"


def _judged(number: int, words: str = "") -> tuple[str, Tone]:
    return f"{number}{words}", "bad" if number else "good"


def _named(names: tuple[str, ...], nothing: str) -> tuple[str, Tone]:
    return (", ".join(names), "bad") if names else (nothing, "good")


_QUESTIONS: Final[tuple[tuple[str, Callable[[Outcome], tuple[str, Tone]]], ...]] = (
    ("faults met", lambda o: _count(o.faults)),
    ("said by the customer", lambda o: _count(len(o.said))),
    ("  arrived at the server", lambda o: _count(len(o.arrived))),
    ("said by the center", lambda o: _count(len(o.sent))),
    ("  told to the customer", lambda o: _count(len(o.told))),
    ("lost", lambda o: _judged(len(o.lost))),
    ("doubled", lambda o: _judged(len(o.doubled))),
    ("still typing at the end", lambda o: _named(o.typing, _NOBODY)),
    ("form still open at the end", lambda o: _named(o.forms, _NONE)),
    ("polls after the end", lambda o: _judged(o.late_polls, ", then stopped" * o.was_stopped)),
)
