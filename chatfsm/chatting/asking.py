"""A form being answered: field by field where its fields are known, else in lines name=value.

The wire names a form and not its fields (PROTOCOL.md §2), so they are known where the caller says
so. Nothing here is shown or kept: it may be secret.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from chatfsm.chatting.lines import LineError
from chatfsm.session.values import Form

__all__ = ["Asking"]


@define
class Asking:
    """The answers so far, and what is asked next; in no repr."""

    form: Form
    fields: Sequence[str] = ()
    """The names of the fields, where they are known."""
    answers: dict[str, str] = field(factory=dict, repr=False, init=False)

    @property
    def question(self) -> str:
        """What to ask next."""
        if self.fields:
            return self.fields[len(self.answers)]
        return "name=value, an empty line at the end"

    def hear(self, line: str) -> bool:
        """Take an answer; True where it was the last one. Raises `LineError`."""
        if self.fields:
            self.answers[self.question] = line
            return len(self.answers) == len(self.fields)
        if not line.strip():
            return True
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise LineError("an answer is name=value; an empty line ends the form")
        self.answers[name.strip()] = value.strip()
        return False
