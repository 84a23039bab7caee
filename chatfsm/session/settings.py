"""What a caller may set, each with the reason of its default."""

from __future__ import annotations

from math import isfinite
from typing import Any

from attrs import Attribute, field, frozen


def _positive(_settings: object, attribute: Attribute[Any], value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"Settings.{attribute.name} must be a number of seconds")
    if not isfinite(value) or value <= 0:
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
