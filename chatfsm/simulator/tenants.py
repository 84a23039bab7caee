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
    """The id of the agent as a party, the same in all chats."""
    display_name: str = field(default="", validator=text)
    """The name that customers see; "": none is sent."""
    first_name: str = field(default="", validator=text)
    """The first name; "": none is sent."""
    last_name: str = field(default="", validator=text)
    """The last name; "": none is sent."""
    photo: bytes | None = field(default=None, repr=False, validator=optional(instance_of(bytes)))
    """The image of `profilephotos`; None: there is none."""
    capacity: int = field(default=1, validator=count)
    """The most chats that the agent is in at once, 1 or more."""
    direct_pin: str = field(default="", validator=text)
    """The `directChatPIN` by which a customer asks for this agent; "": none."""


@frozen(kw_only=True)
class AppEntry:
    """The entry of an app: the scenario of its chats, and the answers before a chat."""

    app_id: str = field(validator=non_empty_text)
    """The `appId` in the requests of the app."""
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
    """The URL of the server, such as `stun:stun.example.com:3478`."""
    username: str | None = None
    """The user name for a TURN server; None: none is sent."""
    credential: str | None = field(default=None, repr=False)
    """The password for a TURN server; None: none is sent. In no repr."""


@frozen(kw_only=True)
class TenantField:
    """A field of a form."""

    name: str = field(validator=non_empty_text)
    """The key of the answer in the form's data."""
    label: str = field(default="", validator=text)
    """The text beside the field; "": the name."""
    kind: str = field(default="text", validator=one_of(*FIELD_TYPES))
    """The `formFieldType`: one of `FIELD_TYPES`."""
    required: bool = field(default=True, validator=flag)
    """Whether the customer must fill the field in."""


@frozen(kw_only=True)
class TenantForm:
    """A form as clients draw it, of which the server's events carry only the name."""

    name: str = field(validator=non_empty_text)
    """The `form_name`, or the `form_id` of a secure form."""
    title: str = field(default="", validator=text)
    """The heading of the form; "": the name."""
    fields: tuple[TenantField, ...] = field(
        default=(),
        converter=tuple[TenantField, ...],
        validator=deep_iterable(instance_of(TenantField)),
    )
    """The fields, from the top to the bottom."""


@frozen(kw_only=True)
class TenantFile:
    """A file that agents share, by its id."""

    file_id: str = field(validator=non_empty_text)
    """The id in the event of the file and in its path."""
    content: bytes = field(repr=False, validator=instance_of(bytes))
    """The bytes of the file; in no repr."""
    content_type: str = "application/octet-stream"
    """The MIME type of the download."""
    file_name: str = ""
    """The name under which a browser saves the file; "": none is sent."""


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
    """The domain, or a URL that has it as its host."""
    entries: tuple[AppEntry, ...] = field(
        converter=tuple[AppEntry, ...],
        validator=[deep_iterable(instance_of(AppEntry)), _unique_apps],
    )
    """The entries of the apps, with different app ids."""
    agents: tuple[Agent, ...] = field(
        default=(), converter=tuple[Agent, ...], validator=deep_iterable(instance_of(Agent))
    )
    """The agents, who may be in chats of all entries."""
    ice_servers: tuple[TenantIceServer, ...] = field(
        default=(), converter=tuple[TenantIceServer, ...]
    )
    """The answer of `iceservers`."""
    files: tuple[TenantFile, ...] = field(default=(), converter=tuple[TenantFile, ...])
    """The files that the agents of scenarios share."""
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
