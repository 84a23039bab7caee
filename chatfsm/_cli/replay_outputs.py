"""Outputs of `chatfsm replay`: effects as JSON lines, a summary, nothing; and what they all have.

Timelines are `replay_timelines`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Protocol, TextIO

from chatfsm._plain import json_text
from chatfsm.effects import to_json
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.stats import Totals
from chatfsm.replay.stream_replay import ReplayedChat

__all__ = [
    "EffectLines",
    "NoOutput",
    "Output",
    "Printer",
    "Summary",
]


class Output(Protocol):
    """Turns steps, finished chats and totals into text; it prints nothing itself."""

    wants_steps: bool
    """Whether `step_text` is to be called; replay is faster without."""
    head: str
    """Text before the first finished chat."""
    separator: str
    """Text before each further one."""

    @abstractmethod
    def step_text(self, chat: ReplayedChat, step: ReplayStep, /) -> str:
        """The text of one step; may be empty."""

    @abstractmethod
    def chat_text(self, chat: ReplayedChat, /) -> str:
        """The text of a finished chat; may be empty."""

    @abstractmethod
    def totals_text(self, totals: Totals, /) -> str:
        """The text at the end of all."""


class EffectLines:
    """Output for programs: one JSON line per effect."""

    wants_steps = True
    head = separator = ""

    def __init__(self, *, only_findings: bool = False) -> None:
        self._only_findings = only_findings

    def step_text(self, chat: ReplayedChat, step: ReplayStep) -> str:
        """The effects of the step, a line each."""
        origin = {"chat_id": chat.session.chat_id, "seq": step.seq, "at": step.at}
        effects = step.findings if self._only_findings else step.effects
        return "".join([json_text({**origin, **to_json(effect)}) + "\n" for effect in effects])

    def chat_text(self, _chat: ReplayedChat) -> str:
        """No text: the last effect of the chat has been printed."""
        return ""

    def totals_text(self, _totals: Totals) -> str:
        """No text."""
        return ""


class Summary:
    """Output for programs: one JSON document, printed chat by chat to keep memory bounded."""

    wants_steps = False
    head = '{"sessions": ['
    separator = ","

    def step_text(self, _chat: ReplayedChat, _step: ReplayStep) -> str:
        """No text: the statistics of the chat contain the step."""
        return ""

    def chat_text(self, chat: ReplayedChat) -> str:
        """The summary of the chat."""
        return f"\n{json_text(chat.stats.summary())}"

    def totals_text(self, totals: Totals) -> str:
        """The totals and the end of the document."""
        start = self.head if totals.sessions == 0 else "\n"
        return f'{start}],\n"totals": {json_text(totals.summary())}}}\n'


class NoOutput:
    """Output for scripts that need the exit code only: nothing."""

    wants_steps = False
    head = separator = ""

    def step_text(self, _chat: ReplayedChat, _step: ReplayStep) -> str:
        """No text."""
        return ""

    def chat_text(self, _chat: ReplayedChat) -> str:
        """No text."""
        return ""

    def totals_text(self, _totals: Totals) -> str:
        """No text."""
        return ""


class Printer:
    """Writes the texts of an output, with separators between chats."""

    def __init__(self, out: TextIO, output: Output) -> None:
        self._out = out
        self._output = output
        self._separator = output.head

    def write_chats(self, texts: Iterable[str]) -> None:
        """Write the texts of finished chats, of those that have any."""
        separator = self._output.separator
        text = separator.join(filter(None, texts))
        if text:
            self.write(self._separator + text)
            self._separator = separator

    def write(self, text: str) -> None:
        """Write any other text."""
        self._out.write(text)
