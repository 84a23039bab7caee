"""The lines of a journal: what they look like, and what they say.

A journal is JSON lines. Each chat begins with a line that says how its session was made: `{"v":
1, "chat_id": …, "journal": {"chatfsm": …, "settings": {…}}, "at": …, "snapshot": …}`, the snapshot
only where the session had a life before. Then one line an input: `{"v": 1, "chat_id": …, "seq":
…, "at": …, "in": {"input": …}, "out": […]}`, or `"refused": why` in place of `"out"`.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Final, cast

from attrs import evolve, frozen
from cattrs import Converter
from cattrs.strategies import configure_tagged_union

from chatfsm.protocol.commands import SubmitForm
from chatfsm.protocol.events import Event
from chatfsm.protocol.signaling import Signal
from chatfsm.session.inputs import History, Input
from chatfsm.session.plain import harmless, snake, to_plain
from chatfsm.session.session import ChatSession
from chatfsm.session.settings import Settings

__all__ = [
    "VERSION",
    "Entry",
    "JournalLineError",
    "Opening",
    "entry_of",
    "input_of",
    "input_to_json",
]

VERSION: Final = 1

_converter: Final = Converter(forbid_extra_keys=True, detailed_validation=False)
_converter.register_structure_hook_func(lambda cls: cls is object, lambda value, _cls: value)
configure_tagged_union(Signal, _converter, tag_name="signal", tag_generator=snake)
configure_tagged_union(Event, _converter, tag_name="input", tag_generator=snake)
configure_tagged_union(Input, _converter, tag_name="input", tag_generator=snake)


def input_to_json(item: Input) -> dict[str, Any]:
    """An input as plain JSON: `input` names it, the rest are its fields."""
    fields = to_plain(item)
    if isinstance(item, History):
        fields["events"] = [input_to_json(event) for event in item.events]
    if isinstance(item, SubmitForm):
        fields["data"] = harmless(item.data)
    return {"input": snake(type(item)), **fields}


def input_of(value: object) -> Input:
    """What `input_to_json` wrote. Raises whatever cattrs raises where it is none."""
    # A union is no class, but cattrs takes it for one.
    item: Input = _converter.structure(value, cast("type[Any]", Input))
    return item


@frozen
class Opening:
    """The line that a chat's journal begins with."""

    chat_id: str
    at: float
    settings: Settings
    snapshot: object
    """None where the session was new."""

    @property
    def timestamp(self) -> float:
        """The time of it, on the session's clock."""
        return self.at

    def session(self, *, strict: bool = False) -> ChatSession:
        """The session as it was then; `strict`: in any case a strict one."""
        settings = evolve(self.settings, strict=strict or self.settings.strict)
        if self.snapshot is None:
            return ChatSession(self.chat_id, settings=settings)
        return ChatSession.restore(self.snapshot, settings=settings, now=self.at)


@frozen
class Entry:
    """One input that was heard, and what was told then."""

    chat_id: str
    seq: int
    at: float
    item: Input
    told: object
    """The effects as JSON, or the text of a refusal."""

    @property
    def timestamp(self) -> float:
        """The time of it, on the session's clock."""
        return self.at


class JournalLineError(ValueError):
    """A line that calls itself one of a journal's, and cannot be used."""


def entry_of(value: dict[str, Any]) -> Opening | Entry | None:
    """What a parsed line of a journal says; None where it is no line of a journal.

    Raises `JournalLineError` where it is one, but cannot be used.
    """
    if "v" not in value or not ({"journal", "in"} & value.keys()):
        return None
    if value["v"] != VERSION:
        raise JournalLineError(f"version {value['v']!a} of a journal, not {VERSION}")
    try:
        chat_id, at = str(value["chat_id"]), float(value["at"])
        if not chat_id or not isfinite(at):
            raise ValueError  # noqa: TRY301  # as everything else that cannot be used
        if "journal" in value:
            settings = _converter.structure(value["journal"]["settings"], Settings)
            return Opening(chat_id, at, settings, value.get("snapshot"))
        item = input_of(value["in"])
        return Entry(
            chat_id,
            int(value["seq"]),
            at,
            item,
            value["refused"] if "refused" in value else value["out"],
        )
    except Exception as error:  # noqa: BLE001  # cattrs lets through whatever a class raises
        raise JournalLineError(f"no line of a journal: {type(error).__name__}") from None
