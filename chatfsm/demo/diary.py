"""What happens to one client, as rows for people, in the words of a replayed timeline."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from attrs import define, evolve, field

from chatfsm.chatting.wording import Wording
from chatfsm.recording.replay import Step
from chatfsm.recording.timeline import Row, Timeline, Tone, harmless_text
from chatfsm.session.effects import TypingStarted, TypingStopped, WaitEstimated

__all__ = ["Diary"]


@define
class Diary:
    """Takes down what happens, from any thread; the rows are taken out by one."""

    now: Callable[[], float]
    """Seconds since the demo began."""
    wording: Wording = field(factory=lambda: Wording(0.0))
    _rows: deque[Row] = field(factory=deque, init=False)

    def note(self, what: str, who: str, text: str, tone: Tone = "plain") -> None:
        """Something happened that is no effect."""
        self._add(Row("", what, harmless_text(who), harmless_text(text), tone))

    def told(self, effect: object) -> None:
        """The chat has told something."""
        account = self.wording.account
        match effect:
            case TypingStarted() | TypingStopped() if account is not None:
                # At a keyboard that is shown while it lasts.
                timeline = Timeline(account, None)
                timeline.add(Step(0, 0.0, (effect,)))
                rows = list(timeline.rows())
            case WaitEstimated(seconds=0):
                rows = []  # nobody waits
            case _:
                rows = self.wording.rows(effect, 0.0)
        for row in rows:
            self._add(row)

    def rows(self) -> Iterator[Row]:
        """The rows that were not taken out yet, in order."""
        while self._rows:
            yield self._rows.popleft()

    def _add(self, row: Row) -> None:
        self._rows.append(evolve(row, at=f"+{self.now():.1f}"))
