"""Settings of a contact center, each with the reason for its default."""

from __future__ import annotations

from attrs import field, frozen

from chatfsm._validators import count, flag, seconds, text

__all__ = ["CenterSettings"]


@frozen(kw_only=True)
class CenterSettings:
    """Settings of a center; immutable. Raises TypeError or ValueError for a value out of range."""

    hold: float = field(default=12.0, validator=seconds(at_least=0))
    """Seconds that an empty poll is held; real servers were seen to hold for 5 to 15. The vendor's
    web client gives a poll up after 13."""
    inactivity_timeout: float = field(default=600.0, validator=seconds(at_least=0.001))
    """Seconds without activity of the customer until the session ends; the warning comes after half
    of them. Ten minutes is the documented default."""
    poll_timeout: float = field(default=180.0, validator=seconds(at_least=0.001))
    """Seconds without a poll until the session ends: longer than the longest backoff of a client
    that a server asked to wait for two minutes."""
    started_at: float = field(default=1_700_000_000.0, validator=seconds(at_least=0))
    """Seconds since 1970 on the center's wall clock when `now` is 0."""

    milliseconds: bool = field(default=False, validator=flag)
    """Timestamps are milliseconds, as specified, in place of seconds, as captured."""
    flags_as_text: bool = field(default=False, validator=flag)
    """In version 1, `is_new_chat` is "true" or "false", as documented, in place of a boolean."""
    busy_with_429: bool = field(default=True, validator=flag)
    """Version 2 refuses a second poll with status 429, in place of 400 as in version 1."""
    notices_aborts: bool = field(default=True, validator=flag)
    """The center notices a broken connection of a held poll, as the vendor's web client needs. If
    not, it answers that poll, and the events in the answer reach no other poll."""
    history_after_end: bool = field(default=False, validator=flag)
    """Histories are answered after the end of a session. If not, they are refused with 5005, by
    which the vendor's web client sees that a session is over."""
    signals_in_history: bool = field(default=True, validator=flag)
    """Histories hold signaling. It is documented as absent, yet clients receive it."""
    server_version: str = field(default="5.5.6.12345 (Stable)", validator=text)
    """The answer of `version`, as servers write it."""

    max_file: int = field(default=25 * 1024 * 1024, validator=count)
    """The most bytes of an upload, as documented."""
    max_files: int = field(default=1_000, validator=count)
    """The most uploads kept, as documented; a new one replaces the oldest."""
    max_stored_bytes: int = field(default=256 * 1024 * 1024, validator=count)
    """The most bytes of all uploads together: ten of the largest."""
    max_body: int = field(default=256 * 1024, validator=count)
    """The most bytes of a JSON body: a session description has ten thousand, a drawn signature
    more."""
    max_events: int = field(default=256, validator=count)
    """The most events in one POST: eight times the batch of chatfsm's client."""
    max_history: int = field(default=4_096, validator=count)
    """The most events kept in a history, and the most of the customer's own; the oldest are
    dropped."""
    max_pending: int = field(default=4_096, validator=count)
    """The most events that wait for a poll; the oldest are dropped."""
    max_live_chats: int = field(default=10_000, validator=count)
    """The most live sessions; another one is refused with 5001."""
    max_ended_chats: int = field(default=1_000, validator=count)
    """The most sessions kept after their end, for case histories; the oldest are dropped."""
