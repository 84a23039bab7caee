"""The person at the keyboard, who is the same in front of every client."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field

__all__ = ["Customer"]


@define
class Customer:
    """Somebody who answers what is read for the first time, and has nothing to add later."""

    answers: Mapping[str, str]
    """What is said to which text."""
    said: list[str] = field(factory=list, init=False)

    def reads(self, text: str) -> str | None:
        """What there is to say to a text that was shown; None: nothing, or it was said before."""
        answer = self.answers.get(text)
        if answer is None or answer in self.said:
            return None
        self.said.append(answer)
        return answer
