"""Settings of sessions and clients, each with the reason for its default."""

from __future__ import annotations

from typing import Final, Literal

from attrs import field, frozen
from attrs.validators import instance_of

from chatfsm._validators import Validator, count, one_of, seconds

__all__ = ["ClientSettings", "Settings"]

_LONGEST: Final = 1e9  # seconds: 31 years, and still exact when added to a clock
_SHORTEST_POLL: Final = 20.0


def _delay(at_least: float) -> Validator:
    return seconds(at_least=at_least, at_most=_LONGEST)


@frozen(kw_only=True)
class Settings:
    """Settings of a session. Immutable; many sessions may share one.

    Raises TypeError for a value of the wrong type, ValueError for a value out of range.
    """

    strict: bool = False
    """Raise `RemoteProtocolError` in place of an `Anomaly` or an `UnknownReceived`.

    For tests and audits. The event that raises changes nothing; what was due before it stays done.
    """

    explain: bool = False
    """Report duplicates and late events as `Ignored`; they are only counted otherwise."""

    typing_timeout: float = field(default=30.0, validator=seconds(more_than=0))
    """Seconds after the last typing event of a party until the session reports that it stopped."""

    typing_renew: float = field(default=10.0, validator=seconds(more_than=0))
    """Seconds between two notifications to the server while the customer types. Well below the 30
    seconds after which chatfsm itself ends the typing of a party."""

    typing_idle: float = field(default=5.0, validator=seconds(more_than=0))
    """Seconds after the last `StartTyping` until the server is told that the customer stopped."""

    msg_id_format: Literal["n", "chat_id:n"] = field(
        default="n", validator=one_of("n", "chat_id:n")
    )
    """Form of the ids of own messages. The documentation has `chatId:messageNumber`; the vendor's
    web client counts 1, 3, 5 (PROTOCOL.md §3), and chatfsm does so too. A session with a token puts
    it and a colon before the number."""

    empty_file_ids: bool = False
    """Send files with an empty msg_id: one connector answers 500 to any other (PROTOCOL.md §3)."""

    max_unsent: int = field(default=256, validator=count)
    """Messages that may wait to be sent or confirmed; the session refuses one more. It remembers as
    many sent ones, for receipts."""

    max_ids: int = field(default=4_096, validator=count)
    """Message ids that are kept to recognize duplicates; a chat of hours has fewer."""

    max_parties: int = field(default=256, validator=count)
    """Parties in the roster, and as many that have left."""

    max_typists: int = field(default=256, validator=count)
    """Parties that type at the same time."""

    max_forms: int = field(default=64, validator=count)
    """Forms that are open at the same time."""

    max_candidates: int = field(default=128, validator=count)
    """ICE candidates that are kept until a call is answered; a browser sends a few dozen."""


@frozen(kw_only=True)
class ClientSettings:
    """Settings of a client. Immutable; many clients may share one.

    Raises TypeError for a value of the wrong type, ValueError for a value out of range.
    """

    session: Settings = field(factory=Settings, validator=instance_of(Settings))
    """Settings of the client's session."""

    poll_timeout: float = field(default=30.0, validator=_delay(_SHORTEST_POLL))
    """Seconds for a poll, at least 20. The server holds an empty poll for 5 to 15 seconds, and the
    events of an aborted one may be lost (PROTOCOL.md §5)."""

    request_timeout: float = field(default=30.0, validator=_delay(0.1))
    """Seconds for every other request without a file."""

    file_timeout: float = field(default=300.0, validator=_delay(0.1))
    """Seconds for the upload or download of a file: 25 MB at 1 Mbit/s take 210."""

    timeout_grace: float = field(default=5.0, validator=_delay(0))
    """Seconds after a request's timeout until the client gives it up by itself, so that a chat goes
    on if the sender has lost the request."""

    poll_every: float = field(default=1.0, validator=_delay(0))
    """Seconds between the starts of two polls if the first returned no new event. A server that
    holds polls is not slowed down; a proxy that answers from its cache gets one poll a second
    instead of 70."""

    poll_every_busy: float = field(default=0.1, validator=_delay(0))
    """Seconds between the starts of two polls if the first returned a new event."""

    backoff_first: float = field(default=1.0, validator=_delay(0.001))
    """Seconds, at most, before the first retry, so that clients do not all return at once."""

    backoff_most: float = field(default=30.0, validator=_delay(0.001))
    """Seconds, at most, between two retries: an agent waits no longer for a customer whose network
    works again."""

    retry_after_most: float = field(default=120.0, validator=_delay(0))
    """Seconds, at most, for which a client obeys Retry-After; after more, the server would end the
    chat for inactivity."""

    settle_delay: float = field(default=2.0, validator=_delay(0))
    """Seconds from a POST without a reply to the history that shows whether it arrived. A POST that
    is still on its way arrives meanwhile, and is not sent twice."""

    settle_timeout: float = field(default=10.0, validator=_delay(0))
    """Seconds, at most, for which a client holds back the end of a chat while the outcome of a
    message is in doubt: for the reply to a POST in flight, or for one last history."""

    server_hold: float = field(default=20.0, validator=_delay(0))
    """Seconds for which a server may hold a broken poll and answer it with events that are then
    lost; after them the client requests the history once more. Servers were seen to hold for 15."""

    suspend_gap: float = field(default=20.0, validator=_delay(1))
    """Seconds after a deadline from which a client assumes that the computer slept, and its polls
    with it. A busy process is not as late, and a server keeps a customer longer."""

    max_body: int = field(default=8 * 1024 * 1024, validator=count)
    """Bytes of a reply: about 50,000 events, more than a poll or a history has."""

    max_file: int = field(default=26 * 1024 * 1024, validator=count)
    """Bytes of a downloaded file; the server stores no more than 25 MB."""

    max_batch: int = field(default=32, validator=count)
    """Events in one POST: more than a person types while one POST is on its way."""

    max_queued: int = field(default=1_024, validator=count)
    """Events that wait to be posted; the client refuses one more. Four times `max_unsent` of the
    session, because receipts and signals wait too."""

    max_api_requests: int = field(default=64, validator=count)
    """API requests of the app that wait for a reply; the client refuses one more."""

    max_attempts: int = field(default=5, validator=count)
    """Attempts to send an event that, alone in its POST, gets an internal error of the server each
    time. After them it counts as refused, so that later events are not blocked."""
