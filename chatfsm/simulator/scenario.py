"""A scenario is data: what a contact center does in one chat, step by step, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import NOTHING, field, fields, frozen
from attrs.validators import deep_iterable, instance_of

from chatfsm.errors import ChatError, DecodeError
from chatfsm.protocol import json_text
from chatfsm.simulator.steps import STEPS, Step

__all__ = ["Scenario", "ScenarioError", "from_json", "from_plain", "to_plain"]


class ScenarioError(ChatError):
    """What should be a scenario is none; the text says which step, and what is wrong with it."""


def _steps() -> Any:
    return deep_iterable(instance_of(tuple(STEPS.values())), instance_of(tuple))


@frozen
class Scenario:
    """What happens in a chat; nothing in it changes while it is played, by however many chats."""

    name: str = field(validator=instance_of(str))
    steps: tuple[Step, ...] = field(validator=_steps())
    after_disconnect: tuple[Step, ...] = field(default=(), validator=_steps())
    """What follows where the customer disconnects and no step awaits it; then the session ends."""
    title: str = field(default="", validator=instance_of(str))
    """What it shows, in one line for people."""
    chat_id: str = field(default="", validator=instance_of(str))
    """The chat's id in the events that are told, where they were recorded: it is replaced by the
    id of the chat that plays them."""


_KINDS: Final = {cls: kind for kind, cls in STEPS.items()}
_LISTS: Final = ("steps", "after_disconnect")
# So many characters of what is no kind of step are shown: more than the longest kind has.
_SHOWN: Final = 40


def to_plain(scenario: Scenario) -> dict[str, Any]:
    """A scenario as plain JSON; what is as it would be anyway is left out."""
    plain = {
        known.name: getattr(scenario, known.name)
        for known in fields(Scenario)
        if known.name not in _LISTS and (known.name == "name" or getattr(scenario, known.name))
    }
    lists = {name: [_plain_step(step) for step in getattr(scenario, name)] for name in _LISTS}
    return plain | {name: steps for name, steps in lists.items() if steps or name == "steps"}


def _plain_step(step: Step) -> dict[str, Any]:
    plain: dict[str, Any] = {"step": _KINDS[type(step)]}
    for known in fields(type(step)):
        value = getattr(step, known.name)
        default = known.default
        if default is NOTHING or value not in (default, {}):
            plain[known.name] = list(value) if isinstance(value, tuple) else value
    return plain


def from_json(text: str | bytes) -> Scenario:
    """The scenario that a JSON text holds. Raises `ScenarioError`."""
    try:
        value = json_text.parse(text)
    except DecodeError as error:
        raise ScenarioError(f"a scenario is JSON: {error}") from None
    return from_plain(value)


def from_plain(value: object) -> Scenario:
    """The scenario that parsed JSON is. Raises `ScenarioError`, naming the step."""
    if not isinstance(value, Mapping):
        raise ScenarioError("a scenario is an object with a name and steps")
    name = value.get("name")
    where = f"scenario {name!r}" if isinstance(name, str) else "scenario"
    known = {attribute.name for attribute in fields(Scenario)}
    _refuse_unknown(value, known, where)
    for needed in ("name", "steps"):
        if needed not in value:
            raise ScenarioError(f"{where}: {needed} is missing")
    made: dict[str, Any] = dict(value)
    for part in _LISTS:
        made[part] = _read_steps(value.get(part, []), where, part)
    for text, held in value.items():
        if text not in _LISTS and not isinstance(held, str):
            raise ScenarioError(f"{where}: {text} must be a text")
    return Scenario(**made)


def _read_steps(value: object, where: str, part: str) -> tuple[Step, ...]:
    if not isinstance(value, list):
        raise ScenarioError(f"{where}: {part} must be a list of steps")
    place = f"{where}: step" if part == "steps" else f"{where}: {part}: step"
    return tuple(_read_step(item, f"{place} {number}") for number, item in enumerate(value, 1))


def _read_step(value: object, where: str) -> Step:
    if not isinstance(value, Mapping):
        raise ScenarioError(f"{where}: must be an object")
    kind = value.get("step")
    if not isinstance(kind, str) or kind not in STEPS:
        found = "no kind of step" if kind is None else f"unknown kind {repr(kind)[:_SHOWN]}"
        raise ScenarioError(f"{where}: {found}; known are {', '.join(STEPS)}")
    cls = STEPS[kind]
    where = f"{where} ({kind})"
    known = {attribute.name for attribute in fields(cls)}
    _refuse_unknown(value, known | {"step"}, where)
    for attribute in fields(cls):
        if attribute.default is NOTHING and attribute.name not in value:
            raise ScenarioError(f"{where}: {attribute.name} is missing")
    try:
        return cls(**{name: held for name, held in value.items() if name != "step"})
    except (TypeError, ValueError) as error:
        raise ScenarioError(f"{where}: {error.args[0]}") from None


def _refuse_unknown(value: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(str(name) for name in set(value) - known)
    if unknown:
        raise ScenarioError(
            f"{where}: unknown field {', '.join(unknown)}; known are {', '.join(sorted(known))}"
        )
