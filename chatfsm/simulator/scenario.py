"""Scenarios: the steps that a contact center takes in one chat, as data and as JSON.

A scenario is a frozen value that any number of chats may play at once. In the fields of an event
whose names end in `_id`, the texts `$chat`, `$agent`, `$scenario` and `$form` stand for ids that
are known only when the scenario is played; all other values are sent as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from attrs import Attribute, field, fields, frozen, has
from attrs.validators import deep_iterable, instance_of, optional
from cattrs import Converter
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.strategies import configure_tagged_union

from chatfsm._protocol import json_input
from chatfsm._protocol.structuring import MAX_DEPTH, deeper_than
from chatfsm._validators import non_empty_text, one_of, seconds, text
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

# A day is longer than any scenario is played, so a longer time is a wrong unit.
_MAX_SECONDS: Final = 86_400.0


_DURATION: Final = seconds(at_least=0, at_most=_MAX_SECONDS)
_OPTIONAL_DURATION: Final = optional(_DURATION)


def _event(_step: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{attribute.name} must be an object, not {type(value).__name__}")
    if "event" not in value:
        raise ValueError(f"{attribute.name} must have a field named event")
    if deeper_than(MAX_DEPTH, value):
        raise ValueError(f"{attribute.name} is nested deeper than {MAX_DEPTH} levels")


def _field_values(_step: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"{attribute.name} must be an object of fields and their values")


def _as_names(value: Any) -> tuple[str, ...]:
    """Return one name, or a list of names, as a tuple; `_event_names` refuses all else."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _event_names(_step: object, attribute: Attribute[Any], value: tuple[object, ...]) -> None:
    if not value or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"{attribute.name} must be the name of an event, or a list of such names")


@frozen
class Tell:
    """The center sends an event."""

    event: Mapping[str, Any] = field(validator=_event, hash=False)
    """The event as on the wire; the center adds `timestamp` and `msg_id` if they are missing."""


@frozen
class Pause:
    """The scenario waits."""

    seconds: float = field(validator=_DURATION)
    """The time to wait, in seconds of the center's time."""


@frozen
class Await:
    """The scenario waits for an event of the customer's, which may have come before this step."""

    event: tuple[str, ...] = field(converter=_as_names, validator=_event_names)
    """The name of an event, or several of which one is enough."""
    where: Mapping[str, Any] = field(factory=dict, validator=_field_values, hash=False)
    """Fields of the event and their values; `data.type` is the field `type` of `data`. A list
    holds several values of which one is enough."""
    timeout: float | None = field(default=None, validator=_OPTIONAL_DURATION)
    """Seconds after which the scenario goes on without the event; None: it waits on."""
    known_as: str = field(default="", validator=text)
    """The `msg_id` by which later events of the scenario refer to the customer's message."""


@frozen
class Say:
    """The agent or the scenario sends a text message, after a typing notification."""

    text: str = field(validator=non_empty_text)
    """The message, as plain text."""
    typing: float = field(default=0.0, validator=_DURATION)
    """Seconds of typing before the message; 0: no typing notification."""
    by: str = field(default="agent", validator=one_of("agent", "scenario"))
    """The sender. If no agent is in the chat, the scenario is the sender."""


@frozen
class FindAgent:
    """The customer is queued until an agent is free, who then joins."""

    ring: float = field(default=1.0, validator=_DURATION)
    """Seconds from the assignment of the agent until the agent joins."""
    patience: float | None = field(default=None, validator=_OPTIONAL_DURATION)
    """Seconds in the queue after which the session fails; None: the customer waits on."""


@frozen
class AgentLeaves:
    """The agent who joined first leaves, and is free for other chats."""


@frozen
class ShowForm:
    """The center shows a form. A form without a name is a text prompt: the next text answers it."""

    name: str = field(validator=text)
    """The `form_name`; "": a text prompt."""
    timeout: float = field(default=600.0, validator=_DURATION)
    """Seconds in which the customer may answer; 0: no limit."""


@frozen
class ShowSecureForm:
    """The center shows a secure form."""

    form_id: str = field(validator=non_empty_text)
    """The `form_id` of the event, in place of a name."""


@frozen
class Converse:
    """The agent answers each event of the customer's until one of them ends the chat."""

    typing: float = field(default=1.0, validator=_DURATION)
    """Seconds of typing before each answer."""


@frozen
class EndSession:
    """The session ends, and the scenario with it."""

    how: str = field(default="ended", validator=one_of("ended", "failed", "timed_out"))
    """The outcome: ended, failed, or timed_out for inactivity."""
    msg: str = field(default="", validator=text)
    """The text that goes with an inactivity timeout."""


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
"""The classes of steps by their names in JSON."""


class ScenarioError(ChatError):
    """A scenario is invalid; the text names the step, the field and the reason."""


def _steps() -> Any:
    return deep_iterable(instance_of(tuple(STEPS.values())), instance_of(tuple))


@frozen
class Scenario:
    """The steps of a chat. Raises TypeError if a field has another type."""

    name: str = field(validator=text)
    """The name of the scenario, for messages and lists."""
    steps: tuple[ScenarioStep, ...] = field(validator=_steps())
    """The steps, which are played in order."""
    after_disconnect: tuple[ScenarioStep, ...] = field(default=(), validator=_steps())
    """The steps that follow if the customer disconnects and no step awaits that; after them the
    session ends."""
    title: str = field(default="", validator=text)
    """One line for people: the parts of the protocol that the scenario shows."""
    chat_id: str = field(default="", validator=text)
    """The chat's id in recorded events; it is replaced by the id of the chat that plays them."""


# JSON. Each field is checked by the validator of its class, in JSON as in Python.

_KINDS: Final = {cls: kind for kind, cls in STEPS.items()}
_LISTS: Final = ("steps", "after_disconnect")
# The part of an unknown kind that an error text quotes: longer than the name of any step.
_MAX_QUOTED: Final = 40


def to_plain(scenario: Scenario) -> dict[str, Any]:
    """Return the scenario as plain JSON, without the fields that have their defaults."""
    plain: dict[str, Any] = _CONVERTER.unstructure(scenario)
    # For people, the texts come before the lists, and a step begins with its kind.
    lists = {name: plain.pop(name) for name in _LISTS if name in plain}
    return plain | {
        name: [{"step": step["step"], **step} for step in steps] for name, steps in lists.items()
    }


def from_json(text: str | bytes) -> Scenario:
    """Return the scenario that a JSON text holds. Raises `ScenarioError`."""
    try:
        value = json_input.parse(text)
    except DecodeError as error:
        raise ScenarioError(f"a scenario is JSON: {error}") from None
    return from_plain(value)


def from_plain(value: object) -> Scenario:
    """Return the scenario that parsed JSON holds.

    Raises `ScenarioError`, which names the step by its number and kind, and the field.
    """
    if not isinstance(value, Mapping):
        raise ScenarioError("a scenario is an object with a name and steps")
    name = value.get("name")
    where = f"scenario {name!r}" if isinstance(name, str) else "scenario"
    plain = dict(value)
    try:
        for part in _LISTS:
            if part in plain:
                plain[part] = _read_steps(plain[part], part)
        return _CONVERTER.structure(plain, Scenario)
    except (ScenarioError, LookupError, TypeError, ValueError, ForbiddenExtraKeysError) as error:
        raise ScenarioError(f"{where}: {_reason(error, Scenario)}") from None


def _read_steps(value: object, part: str) -> tuple[ScenarioStep, ...]:
    if not isinstance(value, list):
        raise ScenarioError(f"{part} must be a list of steps, not {type(value).__name__}")
    place = "step" if part == "steps" else f"{part}: step"
    return tuple(_read_step(item, f"{place} {number}") for number, item in enumerate(value, 1))


def _read_step(value: object, where: str) -> ScenarioStep:
    if not isinstance(value, Mapping):
        raise ScenarioError(f"{where}: must be an object, not {type(value).__name__}")
    kind = value.get("step")
    if not isinstance(kind, str) or kind not in STEPS:
        found = "no kind of step" if kind is None else f"unknown kind {repr(kind)[:_MAX_QUOTED]}"
        raise ScenarioError(f"{where}: {found}; known are {', '.join(STEPS)}")
    try:
        # A union is no class, but cattrs takes it for one.
        step: ScenarioStep = _CONVERTER.structure(value, cast("type[Any]", ScenarioStep))
    except (LookupError, TypeError, ValueError, ForbiddenExtraKeysError) as error:
        raise ScenarioError(f"{where} ({kind}): {_reason(error, STEPS[kind])}") from None
    return step


def _reason(error: Exception, cls: type) -> str:
    match error:
        case ForbiddenExtraKeysError(extra_fields=unknown):
            known = ", ".join(sorted(attribute.name for attribute in fields(cls)))
            return f"unknown field {', '.join(sorted(map(str, unknown)))}; known are {known}"
        case KeyError():
            return f"{error.args[0]} is missing"
        case _:
            return str(error.args[0])


def _as_it_is(value: Any, _kind: object) -> Any:
    return value


def _converter() -> Converter:
    made = Converter(
        detailed_validation=False,
        forbid_extra_keys=True,
        omit_if_default=True,
        prefer_attrib_converters=True,
        unstruct_collection_overrides={tuple: list},
    )
    made.register_structure_hook_func(
        lambda kind: kind != ScenarioStep and not has(kind), _as_it_is
    )
    for kind in (str, float):  # cattrs would convert these
        made.register_structure_hook(kind, _as_it_is)
    configure_tagged_union(ScenarioStep, made, tag_generator=_KINDS.__getitem__, tag_name="step")
    return made


_CONVERTER: Final = _converter()
