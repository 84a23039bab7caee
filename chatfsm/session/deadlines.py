"""What is due: moments at which something ends by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf, isfinite
from typing import Final, NamedTuple

from chatfsm.errors import LocalProtocolError
from chatfsm.session.state import Memory, Turn

__all__ = ["Due", "after", "earliest", "lapse"]


# The largest float there is: JSON has no infinity.
_LARGEST: Final = 1.7976931348623157e308


class Due(NamedTuple):
    """One lapse: since when it is due, what then happens, and to whom or what."""

    deadline: float
    lapse: Callable[[Turn, str], None]
    subject: str


def after(now: float, seconds: float) -> float:
    """So many seconds from now; a number that can be written, however far off."""
    at = now + seconds
    return at if at < _LARGEST else _LARGEST  # noqa: FURB136  # a third of the time of min()


def earliest(memory: Memory) -> float:
    """The next moment at which something is due; infinity where nothing will be."""
    typing = min(memory.typing.values()) if memory.typing else inf
    if memory.own_typing is not None:
        typing = min(typing, memory.own_typing.deadline)
    if not memory.forms:
        return typing
    forms = (waiting.form.deadline for waiting in memory.forms.values())
    return min(typing, *(deadline for deadline in forms if deadline is not None), inf)


def lapse(turn: Turn, due: Iterable[Due]) -> None:
    """Let everything that is due happen, the oldest first. Refuses a time that is no number."""
    if not isfinite(turn.now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {turn.now}")
    for item in sorted(due, key=lambda item: item.deadline):
        item.lapse(turn, item.subject)
    turn.post()
    turn.memory.wake = earliest(turn.memory)
