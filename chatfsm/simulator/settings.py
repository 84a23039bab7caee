"""What may be set about a contact center, each with the reason of its default."""

from __future__ import annotations

from math import isfinite
from typing import Any

from attrs import Attribute, field, frozen
from attrs.validators import instance_of

__all__ = ["CenterSettings"]


def _seconds(least: float) -> Any:
    def check(_settings: object, attribute: Attribute[Any], value: float) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"CenterSettings.{attribute.name} must be a number of seconds")
        if not isfinite(value) or value < least:
            raise ValueError(f"CenterSettings.{attribute.name} must be {least:g} seconds or more")

    return check


def _count(_settings: object, attribute: Attribute[Any], value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"CenterSettings.{attribute.name} must be a whole number")
    if value < 1:
        raise ValueError(f"CenterSettings.{attribute.name} must be 1 or more")


_FLAG = instance_of(bool)


@frozen(kw_only=True)
class CenterSettings:
    """How a center behaves; immutable. Raises TypeError or ValueError for a value out of range."""

    hold: float = field(default=15.0, validator=_seconds(0))
    """Seconds that an empty poll is held: real ones were seen to hold for 5 to 15."""
    inactivity_timeout: float = field(default=600.0, validator=_seconds(0.001))
    """Seconds without a word of the customer until the session is over; the warning comes at half
    of them. Ten minutes is the documented default."""
    poll_timeout: float = field(default=180.0, validator=_seconds(0.001))
    """Seconds without a poll until the customer is taken for gone: longer than a client waits that
    backs off and was asked to leave the server alone for two minutes."""
    started_at: float = field(default=1_700_000_000.0, validator=_seconds(0))
    """Seconds since 1970 on the center's wall clock when `now` is 0."""

    milliseconds: bool = field(default=False, validator=_FLAG)
    """Whether timestamps are milliseconds, as the specification says, or seconds, as captured."""
    flags_as_text: bool = field(default=False, validator=_FLAG)
    """Whether is_new_chat is "true" or "false" in version 1, as it documents."""
    busy_with_429: bool = field(default=True, validator=_FLAG)
    """Whether version 2 refuses a second poll with 429, or with 400 as version 1 does."""
    notices_aborts: bool = field(default=False, validator=_FLAG)
    """Whether the center notices that a held poll's connection broke. If not, it answers into the
    void, and what it answered is lost to the polls."""
    signals_in_history: bool = field(default=True, validator=_FLAG)
    """Whether histories hold signaling: it is documented as absent, and clients meet it."""
    server_version: str = field(default="5.5.6.12345 (Stable)", validator=instance_of(str))

    max_file: int = field(default=25 * 1024 * 1024, validator=_count)
    """Bytes of an upload, as documented."""
    max_files: int = field(default=1_000, validator=_count)
    """How many uploads are kept, as documented; the oldest is replaced."""
    max_stored_bytes: int = field(default=256 * 1024 * 1024, validator=_count)
    """Bytes of all uploads together: ten of the largest, on somebody's own machine."""
    max_body: int = field(default=256 * 1024, validator=_count)
    """Bytes of a JSON body: a session description has ten thousand, a drawn signature more."""
    max_events: int = field(default=256, validator=_count)
    """How many events one POST may bring: eight times the batch of chatfsm's own client."""
    max_history: int = field(default=4_096, validator=_count)
    """How many events of a chat are kept, and how many customer's own; the oldest are let go."""
    max_pending: int = field(default=4_096, validator=_count)
    """How many events wait for a poll; the oldest are let go."""
    max_live_chats: int = field(default=10_000, validator=_count)
    """How many sessions live at once; one more is refused with 5001."""
    max_ended_chats: int = field(default=1_000, validator=_count)
    """How many sessions are kept after their end, for case histories; the oldest are let go."""
