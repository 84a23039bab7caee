"""What a caller may set, each with the reason of its default."""

from __future__ import annotations

from typing import Any, Final, Literal

from attrs import Attribute, field, frozen
from attrs.validators import in_, instance_of

__all__ = [
    "ClientSettings",
    "Settings",
]

_LARGEST: Final = 1.7976931348623157e308  # of all floats: a whole number may be larger


def _positive(_settings: object, attribute: Attribute[Any], value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"Settings.{attribute.name} must be a number of seconds")
    if not 0 < value <= _LARGEST:
        raise ValueError(f"Settings.{attribute.name} must be more than 0 seconds, and finite")


def _count(_settings: object, attribute: Attribute[Any], value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"Settings.{attribute.name} must be a whole number")
    if value < 1:
        raise ValueError(f"Settings.{attribute.name} must be 1 or more")


@frozen(kw_only=True)
class Settings:
    """How sessions behave; immutable, and shared by as many sessions as you like.

    Raises TypeError or ValueError for a value out of range.
    """

    strict: bool = False
    """Raise `RemoteProtocolError` where a lenient session tells an `Anomaly` or an unknown event.

    For tests and audits. What was due before the event stays done, the event itself changes
    nothing.
    """

    typing_timeout: float = field(default=30.0, validator=_positive)
    """Seconds after which a party that said it types, and nothing since, has stopped."""

    typing_renew: float = field(default=10.0, validator=_positive)
    """Seconds after which the server is told again that the customer types; well under the 30
    after which chatfsm itself stops believing it of others."""

    typing_idle: float = field(default=5.0, validator=_positive)
    """Seconds without a key after which the customer is said to have stopped typing."""

    msg_id_format: Literal["n", "chat_id:n"] = field(default="n", validator=in_(("n", "chat_id:n")))
    """How ids of own messages look: the documentation has `chatId:messageNumber`, the vendor's
    web client counts 1, 3, 5 (PROTOCOL.md §3), and so do we."""

    empty_file_ids: bool = False
    """Send files with an empty msg_id: one connector answers 500 to any other (PROTOCOL.md §3)."""

    max_unsent: int = field(default=256, validator=_count)
    """How many messages may wait to be sent, or to be known as sent; one more is refused. As many
    of those that were sent are remembered, for receipts."""

    max_ids: int = field(default=4_096, validator=_count)
    """How many message ids are remembered, to know duplicates; a chat of hours has fewer."""

    max_parties: int = field(default=256, validator=_count)
    """How many parties the roster holds; also how many that left are remembered."""

    max_typists: int = field(default=256, validator=_count)
    """How many parties may type at once."""

    max_forms: int = field(default=64, validator=_count)
    """How many forms may be open at once."""

    max_candidates: int = field(default=128, validator=_count)
    """How many ICE candidates are kept until a call is answered; a browser sends a few dozen."""


# What a caller may set about the way a chat travels, each with the reason of its default.

_LONGEST: Final = 1e9
_SHORTEST_POLL: Final = 20.0


def _seconds(least: float) -> Any:
    def check(_settings: object, attribute: Attribute[Any], value: float) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"ClientSettings.{attribute.name} must be a number of seconds")
        if not least <= value <= _LONGEST:
            raise ValueError(f"ClientSettings.{attribute.name} must be {least:g} seconds or more")

    return check


def _client_count(_settings: object, attribute: Attribute[Any], value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"ClientSettings.{attribute.name} must be a whole number")
    if value < 1:
        raise ValueError(f"ClientSettings.{attribute.name} must be 1 or more")


@frozen(kw_only=True)
class ClientSettings:
    """How clients behave; immutable, and shared by as many clients as you like.

    Raises TypeError or ValueError for a value out of range.
    """

    session: Settings = field(factory=Settings, validator=instance_of(Settings))
    """How the session itself behaves."""

    poll_timeout: float = field(default=30.0, validator=_seconds(_SHORTEST_POLL))
    """Seconds for a poll: the server holds an empty one for 5 to 15, and an aborted one may be
    lost, so none is given up before 20 (PROTOCOL.md §5)."""

    request_timeout: float = field(default=30.0, validator=_seconds(0.1))
    """Seconds for everything else that is small."""

    file_timeout: float = field(default=300.0, validator=_seconds(0.1))
    """Seconds for a file, up or down: 25 MB at 1 Mbit/s take 210."""

    timeout_grace: float = field(default=5.0, validator=_seconds(0))
    """Seconds beyond a request's timeout after which it is given up here too, so that a chat does
    not stand still where whoever carries the request has forgotten it."""

    poll_every: float = field(default=1.0, validator=_seconds(0))
    """Seconds from one poll's start to the next where the first brought nothing new. A server that
    holds its polls never lets it be felt; a proxy that answers from a cache is asked once a
    second, not 70 times."""

    poll_every_busy: float = field(default=0.1, validator=_seconds(0))
    """The same where it brought something: nobody reads faster, and nothing can make it a storm."""

    backoff_first: float = field(default=1.0, validator=_seconds(0.001))
    """Seconds, at most, until the first retry: a server that restarts is not hit at once."""

    backoff_most: float = field(default=30.0, validator=_seconds(0.001))
    """Seconds, at most, between two retries, however many went before: an agent waits no longer
    than that for a customer whose network has come back."""

    retry_after_most: float = field(default=120.0, validator=_seconds(0))
    """Seconds that a server may ask to be left alone; it would time the customer out after more."""

    settle_delay: float = field(default=2.0, validator=_seconds(0))
    """Seconds from a POST of doubtful fate to the history that tells: what is still on its way to
    the server arrives meanwhile, instead of after it was sent again."""

    server_hold: float = field(default=20.0, validator=_seconds(0))
    """Seconds that a server may go on holding a poll whose connection broke, and give it what then
    happens: after them the history is asked for once more. Servers were seen to hold for 15."""

    suspend_gap: float = field(default=20.0, validator=_seconds(1))
    """Seconds late after which a wake-up means that the computer slept, and polls with it; a busy
    process is not that late, and a server forgets no customer as fast."""

    max_body: int = field(default=8 * 1024 * 1024, validator=_client_count)
    """Bytes of a reply: some 50,000 events, which no poll and no history has."""

    max_file: int = field(default=26 * 1024 * 1024, validator=_client_count)
    """Bytes of a file that is downloaded: the server keeps none of more than 25 MB."""

    max_batch: int = field(default=32, validator=_client_count)
    """How many things said go out in one POST: more than anybody types while one is away."""

    max_queued: int = field(default=1_024, validator=_client_count)
    """How many things said may wait to be posted; one more is refused. Four times the messages
    that the session lets wait, for receipts and signals."""

    max_calls: int = field(default=64, validator=_client_count)
    """How many calls may wait for an answer; one more is refused."""

    max_attempts: int = field(default=5, validator=_client_count)
    """How often something that the server answers with an internal error, though it is alone in
    its POST, is sent before it counts as refused: what it chokes on must not stop the rest."""
