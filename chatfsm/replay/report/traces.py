"""Traces: every step of a chat as compact JSON, compressed, for the report page.

A trace is `{"start": s, "steps": [...], "omitted": n, "omitted_at": i}`. A step is an array: its
index in the chat, seconds since the start, the index of its file, its place in it, its input, its
effects, and whether it came late, after the reply that ended the chat.
"""

from __future__ import annotations

import base64
import zlib
from collections import deque
from typing import Any, Final

from attrs import define, field

from chatfsm._client.journal import effects_to_json, input_to_json
from chatfsm._plain import json_text
from chatfsm.effects import to_json
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.stats import ChatStats

__all__ = ["TraceRecorder", "clipped"]

# Characters of a text, and members of a list or an object, that a trace keeps.
_MAX_TEXT: Final = 4_000
_MAX_MEMBERS: Final = 200
# A step with less JSON than this is kept as it is, which nearly all are.
_MAX_PLAIN_STEP: Final = 4_000
# The default of zlib: the page is read once or twice, so that the smallest size is worth little.
_COMPRESSION: Final = 6


@define
class TraceRecorder:
    """The steps of one chat, at most `limit` of them: half are the first ones, half the last."""

    limit: int
    """Number of steps that are kept, 1 or more."""
    count: int = field(default=0, init=False)
    """Number of steps, with those that are left out."""
    _first: list[str] = field(factory=list, init=False)
    _last: deque[str] = field(factory=deque, init=False)
    _late: int = field(default=0, init=False)
    """Late events outside the terminal batch, before the step that is open."""
    _open: list[Any] | None = field(default=None, init=False)
    """The last step: whether it was late is known only after it."""

    def add(self, step: ReplayStep, stats: ChatStats, place: tuple[int, str]) -> None:
        """Add a step; `place`: the index of its file, and its place there, such as `line 12`."""
        self._close_step(stats)
        self._late = stats.late_outside_batch
        at = round(step.at - (stats.first_at or 0.0), 6)
        item, effects = step.item, list(step.effects)
        self._open = [
            *(step.seq, at, *place),
            None if item is None else input_to_json(item),
            [to_json(one) for one in effects] if item is None else effects_to_json(item, effects),
        ]

    def finish(self, stats: ChatStats) -> str:
        """Return the trace in base64 of zlib; `stats` are those of the whole chat."""
        self._close_step(stats)
        steps = ",".join((*self._first, *self._last))
        omitted = self.count - len(self._first) - len(self._last)
        head = json_text({"start": stats.first_at, "omitted": omitted, "at": len(self._first)})
        text = f'{head[:-1]}, "steps": [{steps}]}}'
        return base64.b64encode(zlib.compress(text.encode(), _COMPRESSION)).decode()

    def _close_step(self, stats: ChatStats) -> None:
        if self._open is None:
            return
        step = [*self._open, stats.late_outside_batch > self._late]
        self._open = None
        written = json_text(step)
        if len(written) > _MAX_PLAIN_STEP:
            written = json_text(clipped(step))
        self.count += 1
        if len(self._first) < self.limit - self.limit // 2:
            self._first.append(written)
            return
        self._last.append(written)
        if len(self._last) > self.limit // 2:
            self._last.popleft()


def clipped(value: Any) -> Any:
    """Return a JSON value whose texts are cut after 4,000 characters, its lists after 200 items."""
    if isinstance(value, str):
        if len(value) <= _MAX_TEXT:
            return value
        return f"{value[:_MAX_TEXT]}… ({len(value):,} characters)"
    if isinstance(value, (list, tuple)):
        more = [f"… ({len(value):,} items)"] if len(value) > _MAX_MEMBERS else []
        return [*map(clipped, value[:_MAX_MEMBERS]), *more]
    if isinstance(value, dict):
        members = list(value.items())
        kept = {clipped(name): clipped(member) for name, member in members[:_MAX_MEMBERS]}
        if len(members) > _MAX_MEMBERS:
            kept["…"] = f"({len(members):,} members)"
        return kept
    return value
