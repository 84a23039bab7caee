"""What may be set about a contact center, each with the reason of its default."""

from __future__ import annotations

from attrs import field, frozen

from chatfsm._validators import count, flag, seconds, text

__all__ = ["CenterSettings"]


@frozen(kw_only=True)
class CenterSettings:
    """How a center behaves; immutable. Raises TypeError or ValueError for a value out of range."""

    hold: float = field(default=15.0, validator=seconds(at_least=0))
    """Seconds that an empty poll is held: real ones were seen to hold for 5 to 15."""
    inactivity_timeout: float = field(default=600.0, validator=seconds(at_least=0.001))
    """Seconds without a word of the customer until the session is over; the warning comes at half
    of them. Ten minutes is the documented default."""
    poll_timeout: float = field(default=180.0, validator=seconds(at_least=0.001))
    """Seconds without a poll until the customer is taken for gone: longer than a client waits that
    backs off and was asked to leave the server alone for two minutes."""
    started_at: float = field(default=1_700_000_000.0, validator=seconds(at_least=0))
    """Seconds since 1970 on the center's wall clock when `now` is 0."""

    milliseconds: bool = field(default=False, validator=flag)
    """Whether timestamps are milliseconds, as the specification says, or seconds, as captured."""
    flags_as_text: bool = field(default=False, validator=flag)
    """Whether is_new_chat is "true" or "false" in version 1, as it documents."""
    busy_with_429: bool = field(default=True, validator=flag)
    """Whether version 2 refuses a second poll with 429, or with 400 as version 1 does."""
    notices_aborts: bool = field(default=False, validator=flag)
    """Whether the center notices that a held poll's connection broke. If not, it answers into the
    void, and what it answered is lost to the polls."""
    signals_in_history: bool = field(default=True, validator=flag)
    """Whether histories hold signaling: it is documented as absent, and clients meet it."""
    server_version: str = field(default="5.5.6.12345 (Stable)", validator=text)

    max_file: int = field(default=25 * 1024 * 1024, validator=count)
    """Bytes of an upload, as documented."""
    max_files: int = field(default=1_000, validator=count)
    """How many uploads are kept, as documented; the oldest is replaced."""
    max_stored_bytes: int = field(default=256 * 1024 * 1024, validator=count)
    """Bytes of all uploads together: ten of the largest, on somebody's own machine."""
    max_body: int = field(default=256 * 1024, validator=count)
    """Bytes of a JSON body: a session description has ten thousand, a drawn signature more."""
    max_events: int = field(default=256, validator=count)
    """How many events one POST may bring: eight times the batch of chatfsm's own client."""
    max_history: int = field(default=4_096, validator=count)
    """How many events of a chat are kept, and how many customer's own; the oldest are let go."""
    max_pending: int = field(default=4_096, validator=count)
    """How many events wait for a poll; the oldest are let go."""
    max_live_chats: int = field(default=10_000, validator=count)
    """How many sessions live at once; one more is refused with 5001."""
    max_ended_chats: int = field(default=1_000, validator=count)
    """How many sessions are kept after their end, for case histories; the oldest are let go."""
