"""What `chatfsm replay` prints, in its four ways: timelines, JSON lines, a summary, nothing."""

from __future__ import annotations

import json
from abc import abstractmethod
from io import StringIO
from typing import Protocol, TextIO

from chatfsm._cli.terminal import TerminalStyle
from chatfsm._cli.timeline import Timeline
from chatfsm.effects import to_json
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.stats import Totals
from chatfsm.replay.stream_replay import ReplayedChat

__all__ = ["EffectLines", "NoOutput", "Output", "Printer", "Summary", "Timelines"]


class Output(Protocol):
    """Is told what happens, in order, and says what people want to know of it."""

    wants_steps: bool
    """Whether it says anything of steps, or keeps them."""
    first: str
    """What stands before the first chat that is over."""
    between: str
    """What stands before each other one."""

    @abstractmethod
    def step(self, chat: ReplayedChat, step: ReplayStep, /) -> str:
        """Something followed from an event."""

    @abstractmethod
    def over(self, chat: ReplayedChat, /) -> str:
        """Nothing more will be told of this chat."""

    @abstractmethod
    def end(self, totals: Totals, /) -> str:
        """Nothing more will be told."""


class Timelines:
    """For people: a verdict and a timeline a chat, printed when the chat is over."""

    wants_steps = True
    first = ""
    between = "\n"

    def __init__(self, look: TerminalStyle, rows: int | None) -> None:
        self._written = StringIO()
        self._look = look
        self._paper = look.printer(self._written)
        self._rows = rows
        self._timelines: dict[ReplayedChat, Timeline] = {}

    def __reduce__(self) -> tuple[type[Timelines], tuple[TerminalStyle, int | None]]:
        """In another process it begins anew, and looks the same."""
        return Timelines, (self._look, self._rows)

    def step(self, chat: ReplayedChat, step: ReplayStep) -> str:
        """Keep the rows of the chat."""
        self._timeline(chat).add(step)
        return ""

    def over(self, chat: ReplayedChat) -> str:
        """The chat; its rows are let go."""
        self._paper.print(self._timeline(chat))
        del self._timelines[chat]
        return self._take_text()

    def end(self, totals: Totals) -> str:
        """How many chats there were, where there were several."""
        if totals.sessions > 1:
            self._paper.note(f"{totals.sessions} chats, {totals.messages} messages")
        return self._take_text()

    def _timeline(self, chat: ReplayedChat) -> Timeline:
        if chat not in self._timelines:
            self._timelines[chat] = Timeline(chat.stats, self._rows)
        return self._timelines[chat]

    def _take_text(self) -> str:
        text = self._written.getvalue()
        self._written.seek(0)
        self._written.truncate()
        return text


class EffectLines:
    """For programs: one JSON line an effect."""

    wants_steps = True
    first = between = ""

    def step(self, chat: ReplayedChat, step: ReplayStep) -> str:
        """The effects."""
        origin = {"chat_id": chat.stats.session.chat_id, "seq": step.seq, "at": step.at}
        return "".join(
            [json.dumps({**origin, **to_json(effect)}) + "\n" for effect in step.effects]
        )

    def over(self, _chat: ReplayedChat) -> str:
        """Nothing: it was told by its last effect."""
        return ""

    def end(self, _totals: Totals) -> str:
        """Nothing."""
        return ""


class Summary:
    """For programs: one JSON document, written chat by chat, so that it needs no memory."""

    wants_steps = False
    first = '{"sessions": ['
    between = ","

    def step(self, _chat: ReplayedChat, _step: ReplayStep) -> str:
        """Nothing: the account of the chat adds it up."""
        return ""

    def over(self, chat: ReplayedChat) -> str:
        """The chat."""
        return f"\n{json.dumps(chat.stats.summary())}"

    def end(self, totals: Totals) -> str:
        """The totals, which close the document."""
        start = self.first if totals.sessions == 0 else "\n"
        return f'{start}],\n"totals": {json.dumps(totals.summary())}}}\n'


class NoOutput:
    """For scripts that only want the exit status."""

    wants_steps = False
    first = between = ""

    def step(self, _chat: ReplayedChat, _step: ReplayStep) -> str:
        """Nothing."""
        return ""

    def over(self, _chat: ReplayedChat) -> str:
        """Nothing."""
        return ""

    def end(self, _totals: Totals) -> str:
        """Nothing."""
        return ""


class Printer:
    """Prints what an output says, one chat after the other."""

    def __init__(self, out: TextIO, output: Output, already: int = 0) -> None:
        self.written = 0
        """How many characters were printed so far."""
        self._out = out
        self._output = output
        self._already = already
        """So many characters were printed before, and are not printed again."""
        self._separator = output.first

    def step(self, text: str) -> None:
        """Print what is said of a step."""
        self._print(text)

    def over(self, text: str) -> None:
        """Print what is said of a chat that is over."""
        self._print(self._separator + text)
        self._separator = self._output.between

    def end(self, totals: Totals) -> None:
        """Print what is said in the end."""
        self._print(self._output.end(totals))

    def _print(self, text: str) -> None:
        left_out = max(0, self._already - self.written)
        self.written += len(text)
        if len(text) > left_out:
            self._out.write(text[left_out:])
