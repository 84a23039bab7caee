"""A scenario is data: what a contact center does in one chat, step by step, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from attrs import NOTHING, Attribute, field, fields, frozen
from attrs.validators import deep_iterable, in_, instance_of

from chatfsm._protocol import json_input
from chatfsm._protocol.structuring import DEEPEST, deeper_than
from chatfsm.errors import ChatError, DecodeError

__all__ = [
    "STEPS",
    "AgentLeaves",
    "Await",
    "Converse",
    "EndSession",
    "FindAgent",
    "Pause",
    "Say",
    "Scenario",
    "ScenarioError",
    "ScenarioStep",
    "ShowForm",
    "ShowSecureForm",
    "Tell",
    "from_json",
    "from_plain",
    "to_plain",
]

# What a scenario is made of: one frozen class for each thing that a contact center can do.
#
# In the fields of an event whose names end in `_id`, `$chat`, `$agent`, `$scenario` and `$form`
# stand for ids that are known only when the scenario is played; everything else is told as it
# stands.

# A day: nobody plays a scenario for longer, and a slip of units shows.
_MAX_SECONDS: Final = 86_400.0


def _seconds(_step: object, attribute: Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise TypeError(f"{attribute.name} must be a number of seconds")
    if not 0 <= value <= _MAX_SECONDS:
        raise ValueError(f"{attribute.name} must be from 0 to {_MAX_SECONDS:g} seconds")


def _seconds_or_none(step: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None:
        _seconds(step, attribute, value)


def _non_empty_text(_step: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{attribute.name} must be a text that is not empty")


def _text(_step: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{attribute.name} must be a text")


def _event(_step: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{attribute.name} must be an object")
    if "event" not in value:
        raise ValueError(f"{attribute.name} must have a field named event")
    if deeper_than(DEEPEST, value):
        raise ValueError(f"{attribute.name} is nested deeper than {DEEPEST} levels")


def _field_values(_step: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"{attribute.name} must be an object of fields and what they must hold")


def _as_names(value: Any) -> tuple[str, ...]:
    """One name, or several of which any will do; what is no name is refused afterwards."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _event_names(_step: object, attribute: Attribute[Any], value: tuple[object, ...]) -> None:
    if not value or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"{attribute.name} must be the name of an event, or a list of such names")


@frozen
class Tell:
    """The center tells an event, as the wire has it."""

    event: Mapping[str, Any] = field(validator=_event, hash=False)


@frozen
class Pause:
    """Nothing happens for so many seconds."""

    seconds: float = field(validator=_seconds)


@frozen
class Await:
    """Nothing happens until the customer has said something, be it before this step."""

    event: tuple[str, ...] = field(converter=_as_names, validator=_event_names)
    """The name of an event, or several of which any will do."""
    where: Mapping[str, Any] = field(factory=dict, validator=_field_values, hash=False)
    """Fields of the event and what they hold; `data.type` is the field `type` of `data`. A list
    holds the values of which any will do."""
    timeout: float | None = field(default=None, validator=_seconds_or_none)
    """Seconds after which the scenario goes on all the same; None: it never does."""
    known_as: str = field(default="", validator=_text)
    """The `msg_id` by which later events of the scenario name what the customer said."""


@frozen
class Say:
    """Somebody of the center says something, and types before if that takes time."""

    text: str = field(validator=_non_empty_text)
    typing: float = field(default=0.0, validator=_seconds)
    """Seconds of typing."""
    by: str = field(default="agent", validator=in_(("agent", "scenario")))
    """Where no agent is there, the scenario speaks."""


@frozen
class FindAgent:
    """An agent is found, once one is free, and joins; until then the customer is queued."""

    ring: float = field(default=1.0, validator=_seconds)
    """Seconds from the moment that an agent is free until they join."""
    patience: float | None = field(default=None, validator=_seconds_or_none)
    """Seconds in the queue after which the session fails; None: the queue is endless."""


@frozen
class AgentLeaves:
    """The agent who has been there for the longest time leaves; the next caller may have them."""


@frozen
class ShowForm:
    """A form is shown; one without a name is a text prompt, answered by the next text."""

    name: str = field(validator=_text)
    timeout: float = field(default=600.0, validator=_seconds)
    """Seconds that the customer has; 0 is no limit."""


@frozen
class ShowSecureForm:
    """A secure form is shown."""

    form_id: str = field(validator=_non_empty_text)


@frozen
class Converse:
    """The agent answers whatever the customer says, until one of them says goodbye."""

    typing: float = field(default=1.0, validator=_seconds)
    """Seconds of typing before an answer."""


@frozen
class EndSession:
    """The session is over, and with it the scenario."""

    how: str = field(default="ended", validator=in_(("ended", "failed", "timed_out")))
    msg: str = field(default="", validator=_text)
    """What the customer is told of an inactivity timeout."""


ScenarioStep = (
    Tell
    | Pause
    | Await
    | Say
    | FindAgent
    | AgentLeaves
    | ShowForm
    | ShowSecureForm
    | Converse
    | EndSession
)

STEPS: Final[dict[str, type[ScenarioStep]]] = {
    "tell": Tell,
    "pause": Pause,
    "await": Await,
    "say": Say,
    "find_agent": FindAgent,
    "agent_leaves": AgentLeaves,
    "show_form": ShowForm,
    "show_secure_form": ShowSecureForm,
    "converse": Converse,
    "end": EndSession,
}
"""The kinds of steps, by the names that they have in JSON."""


class ScenarioError(ChatError):
    """What should be a scenario is none; the text says which step, and what is wrong with it."""


def _steps() -> Any:
    return deep_iterable(instance_of(tuple(STEPS.values())), instance_of(tuple))


@frozen
class Scenario:
    """What happens in a chat; nothing in it changes while it is played, by however many chats."""

    name: str = field(validator=instance_of(str))
    steps: tuple[ScenarioStep, ...] = field(validator=_steps())
    after_disconnect: tuple[ScenarioStep, ...] = field(default=(), validator=_steps())
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


def _plain_step(step: ScenarioStep) -> dict[str, Any]:
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
        value = json_input.parse(text)
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


def _read_steps(value: object, where: str, part: str) -> tuple[ScenarioStep, ...]:
    if not isinstance(value, list):
        raise ScenarioError(f"{where}: {part} must be a list of steps")
    place = f"{where}: step" if part == "steps" else f"{where}: {part}: step"
    return tuple(_read_step(item, f"{place} {number}") for number, item in enumerate(value, 1))


def _read_step(value: object, where: str) -> ScenarioStep:
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
