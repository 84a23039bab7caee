"""What ends by itself in the floor: typing, and forms with a deadline."""

from __future__ import annotations

from math import inf
from typing import Any

from tests.bench import floor_effects as e
from tests.bench.floor_told import Told

__all__ = ["Waiting"]


class Waiting(Told):
    """Knows who types and which forms are open; `wake`: nothing is due before."""

    def __init__(self) -> None:
        super().__init__()
        self.typing: dict[str, float] = {}
        self.forms: dict[str, tuple[e.Form, str]] = {}
        self.wake = inf

    def lapse(self, now: float, effects: list[Any]) -> None:
        """Let what is due happen, the oldest first."""
        if not -inf < now < inf:
            raise ValueError(f"now must be a finite number of seconds, not {now}")
        due = [(at, self.stop_typing, who) for who, at in self.typing.items() if now >= at]
        due += [
            (form.deadline, self.expire, request_id)
            for request_id, (form, _) in self.forms.items()
            if form.deadline is not None and now >= form.deadline
        ]
        for _, end, subject in sorted(due, key=lambda one: one[0]):
            end(subject, effects)
        deadlines = [form.deadline for form, _ in self.forms.values() if form.deadline is not None]
        self.wake = min(*self.typing.values(), *deadlines, inf, inf)

    def expire(self, request_id: str, effects: list[Any]) -> None:
        self.close_form(request_id, "expired", effects)

    def close_form(self, request_id: str | None, reason: str, effects: list[Any]) -> None:
        if request_id in self.forms:
            form, _ = self.forms.pop(request_id)
            effects.append(e.FormClosed(form, reason))

    def stop_typing(self, party_id: str, effects: list[Any]) -> None:
        if self.typing.pop(party_id, None) is not None:
            effects.append(e.TypingStopped(party_id))
