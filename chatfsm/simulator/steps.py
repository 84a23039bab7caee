"""What a scenario is made of: one frozen class for each thing that a contact center can do.

In the fields of an event whose names end in `_id`, `$chat`, `$agent`, `$scenario` and `$form` stand
for ids that are known only when the scenario is played; everything else is told as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from attrs import Attribute, field, frozen
from attrs.validators import in_

from chatfsm.protocol.readers import DEEPEST, deeper_than

__all__ = [
    "STEPS",
    "AgentLeaves",
    "Await",
    "Converse",
    "End",
    "FindAgent",
    "Pause",
    "Say",
    "ShowForm",
    "ShowSecureForm",
    "Step",
    "Tell",
]

# A day: nobody plays a scenario for longer, and a slip of units shows.
_LONGEST: Final = 86_400.0


def _seconds(_step: object, attribute: Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise TypeError(f"{attribute.name} must be a number of seconds")
    if not 0 <= value <= _LONGEST:
        raise ValueError(f"{attribute.name} must be from 0 to {_LONGEST:g} seconds")


def _seconds_or_none(step: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None:
        _seconds(step, attribute, value)


def _named(_step: object, attribute: Attribute[Any], value: object) -> None:
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


def _fields(_step: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"{attribute.name} must be an object of fields and what they must hold")


def _names(value: Any) -> tuple[str, ...]:
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

    event: tuple[str, ...] = field(converter=_names, validator=_event_names)
    """The name of an event, or several of which any will do."""
    where: Mapping[str, Any] = field(factory=dict, validator=_fields, hash=False)
    """Fields of the event and what they hold; `data.type` is the field `type` of `data`. A list
    holds the values of which any will do."""
    timeout: float | None = field(default=None, validator=_seconds_or_none)
    """Seconds after which the scenario goes on all the same; None: it never does."""
    known_as: str = field(default="", validator=_text)
    """The `msg_id` by which later events of the scenario name what the customer said."""


@frozen
class Say:
    """Somebody of the center says something, and types before if that takes time."""

    text: str = field(validator=_named)
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

    form_id: str = field(validator=_named)


@frozen
class Converse:
    """The agent answers whatever the customer says, until one of them says goodbye."""

    typing: float = field(default=1.0, validator=_seconds)
    """Seconds of typing before an answer."""


@frozen
class End:
    """The session is over, and with it the scenario."""

    how: str = field(default="ended", validator=in_(("ended", "failed", "timed_out")))
    msg: str = field(default="", validator=_text)
    """What the customer is told of an inactivity timeout."""


Step = (
    Tell
    | Pause
    | Await
    | Say
    | FindAgent
    | AgentLeaves
    | ShowForm
    | ShowSecureForm
    | Converse
    | End
)

STEPS: Final[dict[str, type[Step]]] = {
    "tell": Tell,
    "pause": Pause,
    "await": Await,
    "say": Say,
    "find_agent": FindAgent,
    "agent_leaves": AgentLeaves,
    "show_form": ShowForm,
    "show_secure_form": ShowSecureForm,
    "converse": Converse,
    "end": End,
}
"""The kinds of steps, by the names that they have in JSON."""
