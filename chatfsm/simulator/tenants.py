"""Tenants: the domains, apps, agents, forms and files of a contact center, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of, optional

from chatfsm._validators import OPTIONAL_TEXT, count, flag, non_empty_text, one_of, seconds, text
from chatfsm.simulator.scenario import Scenario

__all__ = [
    "FIELD_TYPES",
    "PARAMETER_TYPES",
    "Agent",
    "AppEntry",
    "Tenant",
    "TenantField",
    "TenantFile",
    "TenantForm",
    "TenantIceServer",
    "domain_of",
]

# Source: PROTOCOL.md §1, the answer of "expected parameters".
PARAMETER_TYPES: Final = ("PHONE", "TEXT", "EMAIL", "FIRST_NAME", "LAST_NAME", "ACCOUNT", "COMPANY")
FIELD_TYPES: Final = ("text", "multiline_text", "name", "email", "phone", "date")
"""The types of form fields, of those that the vendor's web client v4 shows."""


def _parameters(_entry: object, _attribute: object, value: Mapping[str, str]) -> None:
    for name, kind in value.items():
        if kind not in PARAMETER_TYPES:
            known = ", ".join(PARAMETER_TYPES)
            raise ValueError(f"the type of parameter {name!r} must be one of {known}, not {kind!r}")


@frozen(kw_only=True)
class Agent:
    """An agent; `capacity` is the most chats at once."""

    party_id: str = field(validator=non_empty_text)
    display_name: str = field(default="", validator=text)
    first_name: str = field(default="", validator=text)
    last_name: str = field(default="", validator=text)
    photo: bytes | None = field(default=None, repr=False, validator=optional(instance_of(bytes)))
    capacity: int = field(default=1, validator=count)
    direct_pin: str = field(default="", validator=text)
    """The `directChatPIN` by which a customer asks for this agent; "": none."""


@frozen(kw_only=True)
class AppEntry:
    """The entry of an app: the scenario of its chats, and the answers before a chat."""

    app_id: str = field(validator=non_empty_text)
    scenario: Scenario | None = field(default=None, validator=optional(instance_of(Scenario)))
    """None: the entry has no launch point, and a chat is refused with 5006."""
    parameters: Mapping[str, str] = field(factory=dict, validator=_parameters, hash=False)
    """Types by name: the answer of `parameters`."""
    is_open: bool = field(default=True, validator=flag)
    """Whether `availability` reports that an agent may answer."""
    ewt: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """The estimated wait in `availability`, in seconds; None: that of the agent pool; "": none."""
    inactivity_timeout: float | None = field(default=None, validator=optional(seconds(more_than=0)))
    """Seconds; None: the settings of the center."""


@frozen(kw_only=True)
class TenantIceServer:
    """An ICE server for calls."""

    url: str = field(validator=non_empty_text)
    username: str | None = None
    credential: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class TenantField:
    """A field of a form."""

    name: str = field(validator=non_empty_text)
    label: str = field(default="", validator=text)
    kind: str = field(default="text", validator=one_of(*FIELD_TYPES))
    required: bool = field(default=True, validator=flag)


@frozen(kw_only=True)
class TenantForm:
    """A form as clients draw it, of which the server's events carry only the name."""

    name: str = field(validator=non_empty_text)
    """The `form_name`, or the `form_id` of a secure form."""
    title: str = field(default="", validator=text)
    fields: tuple[TenantField, ...] = field(
        default=(),
        converter=tuple[TenantField, ...],
        validator=deep_iterable(instance_of(TenantField)),
    )


@frozen(kw_only=True)
class TenantFile:
    """A file that agents share, by its id."""

    file_id: str = field(validator=non_empty_text)
    content: bytes = field(repr=False, validator=instance_of(bytes))
    content_type: str = "application/octet-stream"
    file_name: str = ""


def domain_of(url: str) -> str:
    """Return the domain in a tenant's URL, which may be a domain itself, in lower case."""
    host = re.split(r"[/?#]", url.strip().lower().rpartition("://")[2], maxsplit=1)[0]
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).rstrip(".")


def _unique_apps(_tenant: object, _attribute: object, value: tuple[AppEntry, ...]) -> None:
    names = [entry.app_id for entry in value]
    if len(set(names)) < len(names):
        raise ValueError("entries must have different app_ids")


@frozen(kw_only=True)
class Tenant:
    """A tenant of the contact center, known by its domain. Raises ValueError if invalid.

    `url` is the domain, or a URL that has it as its host.
    """

    url: str = field(validator=non_empty_text)
    entries: tuple[AppEntry, ...] = field(
        converter=tuple[AppEntry, ...],
        validator=[deep_iterable(instance_of(AppEntry)), _unique_apps],
    )
    agents: tuple[Agent, ...] = field(
        default=(), converter=tuple[Agent, ...], validator=deep_iterable(instance_of(Agent))
    )
    ice_servers: tuple[TenantIceServer, ...] = field(
        default=(), converter=tuple[TenantIceServer, ...]
    )
    files: tuple[TenantFile, ...] = field(default=(), converter=tuple[TenantFile, ...])
    forms: tuple[TenantForm, ...] = field(
        default=(),
        converter=tuple[TenantForm, ...],
        validator=deep_iterable(instance_of(TenantForm)),
    )
    """The forms in the answer of `configuration`."""
    icon: bytes | None = field(default=None, repr=False, validator=optional(instance_of(bytes)))
    """The image of `chaticon`; None: there is none."""

    def entry(self, app_id: str) -> AppEntry | None:
        """Return the entry of an app, or None."""
        return next((entry for entry in self.entries if entry.app_id == app_id), None)

    def agent(self, party_id: str) -> Agent | None:
        """Return the agent with an id in any case, or None."""
        wanted = party_id.lower()
        return next((one for one in self.agents if one.party_id.lower() == wanted), None)
