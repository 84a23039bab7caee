"""What `chatfsm replay` prints, in its four ways: timelines, JSON lines, a summary, nothing."""

from __future__ import annotations

import json
from typing import Protocol, TextIO

from chatfsm.recording.chats import Chat
from chatfsm.recording.printing import Paper
from chatfsm.recording.replay import Step
from chatfsm.recording.report import Totals
from chatfsm.recording.timeline import Timeline
from chatfsm.session.effects import to_json

__all__ = ["Effects", "Nothing", "Output", "Summary", "Timelines"]


class Output(Protocol):
    """Is told what happens, in order, and prints what people want to know of it."""

    def step(self, chat: Chat, step: Step) -> None:
        """Something followed from an event."""

    def over(self, chat: Chat) -> None:
        """Nothing more will be told of this chat."""

    def end(self, totals: Totals) -> None:
        """Nothing more will be told."""


class Timelines:
    """For people: a verdict and a timeline a chat, printed when the chat is over."""

    def __init__(self, paper: Paper, rows: int | None) -> None:
        self._paper = paper
        self._rows = rows
        self._timelines: dict[Chat, Timeline] = {}

    def step(self, chat: Chat, step: Step) -> None:
        """Keep the rows of the chat."""
        self._timeline(chat).add(step)

    def over(self, chat: Chat) -> None:
        """Print the chat, and let its rows go."""
        self._paper.print(self._timeline(chat))
        del self._timelines[chat]

    def _timeline(self, chat: Chat) -> Timeline:
        if chat not in self._timelines:
            self._timelines[chat] = Timeline(chat.account, self._rows)
        return self._timelines[chat]

    def end(self, totals: Totals) -> None:
        """Say how many there were, where there were several."""
        if totals.sessions > 1:
            self._paper.note(f"{totals.sessions} chats, {totals.messages} messages")


class Effects:
    """For programs: one JSON line an effect."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def step(self, chat: Chat, step: Step) -> None:
        """Print the effects."""
        origin = {"chat_id": chat.account.session.chat_id, "seq": step.seq, "at": step.at}
        for effect in step.effects:
            self._out.write(json.dumps({**origin, **to_json(effect)}) + "\n")

    def over(self, chat: Chat) -> None:
        """Print nothing: it was told by its last effect."""

    def end(self, totals: Totals) -> None:
        """Print nothing."""


class Summary:
    """For programs: one JSON document, written chat by chat, so that it needs no memory."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._separator = '{"sessions": ['

    def step(self, chat: Chat, step: Step) -> None:
        """Print nothing: the account of the chat adds it up."""

    def over(self, chat: Chat) -> None:
        """Print the chat."""
        self._out.write(f"{self._separator}\n{json.dumps(chat.account.summary())}")
        self._separator = ","

    def end(self, totals: Totals) -> None:
        """Print the totals, which close the document."""
        start = self._separator if totals.sessions == 0 else "\n"
        self._out.write(f'{start}],\n"totals": {json.dumps(totals.summary())}}}\n')


class Nothing:
    """For scripts that only want the exit status."""

    def step(self, chat: Chat, step: Step) -> None:
        """Print nothing."""

    def over(self, chat: Chat) -> None:
        """Print nothing."""

    def end(self, totals: Totals) -> None:
        """Print nothing."""
