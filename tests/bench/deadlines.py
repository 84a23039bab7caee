"""Deadlines of the plain reducer: typing indicators, and forms with a timeout."""

from __future__ import annotations

from math import inf
from typing import Any

from tests.bench import reducer_effects as e
from tests.bench.duplicates import DuplicateFilter

__all__ = ["Deadlines"]


class Deadlines(DuplicateFilter):
    """Typing parties and open forms; `deadline_bound` is a lower bound of the next deadline."""

    def __init__(self) -> None:
        super().__init__()
        self.typing: dict[str, float] = {}
        self.forms: dict[str, tuple[e.Form, str]] = {}
        self.deadline_bound = inf

    def expire_due(self, now: float, effects: list[Any]) -> None:
        """Append the effects of the deadlines that are due, the earliest first."""
        if not -inf < now < inf:
            raise ValueError(f"now must be a finite number of seconds, not {now}")
        due = [(at, self.stop_typing, key) for key, at in self.typing.items() if now >= at]
        due += [
            (form.deadline, self.expire_form, request_id)
            for request_id, (form, _) in self.forms.items()
            if form.deadline is not None and now >= form.deadline
        ]
        for _, end, subject in sorted(due, key=lambda one: one[0]):
            end(subject, effects)
        deadlines = [form.deadline for form, _ in self.forms.values() if form.deadline is not None]
        self.deadline_bound = min(*self.typing.values(), *deadlines, inf, inf)

    def expire_form(self, request_id: str, effects: list[Any]) -> None:
        self.close_form(request_id, "expired", effects)

    def close_form(self, request_id: str | None, reason: str, effects: list[Any]) -> None:
        if request_id in self.forms:
            form, _ = self.forms.pop(request_id)
            effects.append(e.FormClosed(form, reason))

    def stop_typing(self, party_id: str, effects: list[Any]) -> None:
        if self.typing.pop(party_id, None) is not None:
            effects.append(e.TypingStopped(party_id))
