"""What a caller may set about the way a chat travels, each with the reason of its default."""

from __future__ import annotations

from typing import Any, Final

from attrs import Attribute, field, frozen
from attrs.validators import instance_of

from chatfsm.session.settings import Settings

__all__ = ["ClientSettings"]

_LARGEST: Final = 1e9
_SHORTEST_POLL: Final = 20.0


def _seconds(least: float) -> Any:
    def check(_settings: object, attribute: Attribute[Any], value: float) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"ClientSettings.{attribute.name} must be a number of seconds")
        if not least <= value <= _LARGEST:
            raise ValueError(f"ClientSettings.{attribute.name} must be {least:g} seconds or more")

    return check


def _count(_settings: object, attribute: Attribute[Any], value: int) -> None:
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

    grace: float = field(default=5.0, validator=_seconds(0))
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

    settle: float = field(default=2.0, validator=_seconds(0))
    """Seconds from a POST of doubtful fate to the history that tells: what is still on its way to
    the server arrives meanwhile, instead of after it was sent again."""

    hold: float = field(default=20.0, validator=_seconds(0))
    """Seconds that a server may go on holding a poll whose connection broke, and give it what then
    happens: after them the history is asked for once more. Servers were seen to hold for 15."""

    jump: float = field(default=20.0, validator=_seconds(1))
    """Seconds late after which a wake-up means that the computer slept, and polls with it; a busy
    process is not that late, and a server forgets no customer as fast."""

    max_body: int = field(default=8 * 1024 * 1024, validator=_count)
    """Bytes of a reply: some 50,000 events, which no poll and no history has."""

    max_file: int = field(default=26 * 1024 * 1024, validator=_count)
    """Bytes of a file that is downloaded: the server keeps none of more than 25 MB."""

    max_batch: int = field(default=32, validator=_count)
    """How many things said go out in one POST: more than anybody types while one is away."""

    max_queued: int = field(default=1_024, validator=_count)
    """How many things said may wait to be posted; one more is refused. Four times the messages
    that the session lets wait, for receipts and signals."""

    max_calls: int = field(default=64, validator=_count)
    """How many calls may wait for an answer; one more is refused."""

    max_attempts: int = field(default=5, validator=_count)
    """How often something that the server answers with an internal error, though it is alone in
    its POST, is sent before it counts as refused: what it chokes on must not stop the rest."""
