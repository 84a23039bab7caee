"""What a caller may set, each with the reason of its default."""

from __future__ import annotations

from typing import Any, Final, Literal

from attrs import Attribute, field, frozen
from attrs.validators import in_

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
