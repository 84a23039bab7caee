"""A driven chat as plain JSON: the client's snapshot, and what it told that nobody has handled.

The client takes what it told for heard; so what still waits for the app when the process dies is
in the record too, or it would be lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, get_args

from attrs import evolve
from cattrs import Converter
from cattrs.strategies import configure_tagged_union

from chatfsm.conversation.tidings import ChatOpened, LinkChanged, Undelivered
from chatfsm.errors import SnapshotError
from chatfsm.protocol.signaling import Signal
from chatfsm.session.effects import Effect, FormClosed, FormOpened
from chatfsm.session.plain import harmless

__all__ = ["record_of", "told_in"]

FORMAT: Final = "chatfsm.chat"
VERSION: Final = 1

# The answers of calls are not kept: whoever asked is gone with the process. That credentials were
# refused, `LinkChanged` tells as well.
Kept = ChatOpened | LinkChanged | Undelivered | Effect
_KEPT: Final = get_args(Kept)

_converter: Final = Converter(forbid_extra_keys=True, detailed_validation=False)
_converter.register_structure_hook_func(lambda cls: cls is object, lambda value, _cls: value)
configure_tagged_union(Signal, _converter, tag_name="signal")
configure_tagged_union(Kept, _converter, tag_name="effect")


def record_of(snapshot: dict[str, Any], waiting: Iterable[object], now: float) -> dict[str, Any]:
    """The record of a chat, with what waits for the app, in order."""
    told = [_plain(_shifted(effect, -now)) for effect in waiting if isinstance(effect, _KEPT)]
    return {"format": FORMAT, "version": VERSION, "client": snapshot, "told": told}


def told_in(record: object, now: float) -> tuple[dict[str, Any], tuple[object, ...]]:
    """The client's snapshot, and what waited for the app. Raises `SnapshotError`, saying why."""
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise SnapshotError("not a record of a chatfsm chat")
    if record.get("version") != VERSION:
        raise SnapshotError(f"the record's version is not {VERSION}, the only one known here")
    if set(record) != {"format", "version", "client", "told"}:
        raise SnapshotError("a record that was changed: parts are missing or too many")
    try:
        told = _converter.structure(record["told"], list[Kept])
    except Exception as error:  # noqa: BLE001  # cattrs lets through whatever a class raises
        raise SnapshotError(f"not what was told: {type(error).__name__}") from None
    return record["client"], tuple(_shifted(effect, now) for effect in told)


def _shifted(effect: object, by: float) -> object:
    """The same on another clock: deadlines travel as seconds left."""
    if isinstance(effect, FormOpened | FormClosed) and effect.form.deadline is not None:
        return evolve(effect, form=evolve(effect.form, deadline=effect.form.deadline + by))
    return effect


def _plain(effect: object) -> object:
    return harmless(_converter.unstructure(effect, Kept))
