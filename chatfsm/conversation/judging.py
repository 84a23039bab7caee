"""What a reply or a failure amounts to, and what follows from an error whatever it was about."""

from __future__ import annotations

from typing import Any, Final, cast

from chatfsm.conversation import moves
from chatfsm.conversation.api_errors import error_of
from chatfsm.conversation.backoff import wait
from chatfsm.conversation.endpoints import Method
from chatfsm.conversation.exchange import HttpFailure, HttpReply
from chatfsm.conversation.state import Owed, Pace, Step, moved
from chatfsm.conversation.tidings import AuthorizationFailed, LinkChanged, LinkState
from chatfsm.errors import (
    ApiError,
    AuthorizationError,
    BusyError,
    SessionGoneError,
    TransientError,
    TransportError,
)
from chatfsm.log import logger
from chatfsm.session.inputs import Lost

__all__ = [
    "answer_in",
    "change_link",
    "consequences",
    "doubt",
    "found_no_server",
    "is_busy",
    "is_internal",
    "is_unreachable",
    "may_have_arrived",
    "put_off",
    "search_server",
]

_BAD_REQUEST: Final = 400
_INTERNAL: Final = 500
_INTERNAL_CODES: Final = frozenset({"5500", "5955"})
# "No server is free": nobody can have taken anything.
_NOTHING_TAKEN: Final = "5001"


def answer_in(
    step: Step, owed: Owed, method: Method, item: HttpReply | HttpFailure, *, is_chat: bool
) -> Any:
    """What a reply answers. Raises `ApiError` where it is none, or is an error.

    `is_chat`: whether a status 404 means that the chat is gone.
    """
    if isinstance(item, HttpFailure):
        raise TransportError(item.kind, item.why)
    if len(item.body) > owed.max_body:
        raise TransportError("protocol", f"the reply is longer than {owed.max_body} bytes")
    secrets = (step.endpoint.app_id, step.endpoint.client_id)
    is_json = not method.is_download
    error = error_of(item, is_json=is_json, on_chat=is_chat, secrets=secrets)
    if isinstance(error, AuthorizationError) and owed.credentials != step.state.credentials:
        # Those were renewed meanwhile, and have not been refused.
        raise TransientError(str(error), status=error.status, transient=True)
    if error is not None:
        raise error
    try:
        return method.read(item)
    except ValueError:
        raise TransportError("protocol", "the reply cannot be read") from None


def consequences(step: Step, error: ApiError) -> bool:
    """What concerns the whole chat; True where it does, so that nothing is tried again."""
    if isinstance(error, SessionGoneError) and step.session is not None:
        step.hear(Lost(f"error {error.error_code}" if error.error_code else "status 404"))
        return True
    if isinstance(error, AuthorizationError):
        if change_link(step, "refused", str(error)):
            step.effects.append(AuthorizationFailed(error))
        return True
    return False


def change_link(step: Step, trigger: str, why: str = "") -> bool:
    """Move the link, and tell where it is another; True where it is."""
    state = step.state
    destination = moved(moves.LINK, state.link, trigger)
    if destination == state.link:
        return False
    state.link = destination
    step.effects.append(LinkChanged(cast("LinkState", destination), why))
    logger.info("link: %s", destination)
    return True


def doubt(step: Step, *, after: float = 0.0) -> None:
    """Something may have been lost, or have arrived: the history will tell, in so many seconds."""
    state = step.state
    was = state.history
    state.history = moved(moves.HISTORY, was, "doubt")
    at = step.now + after
    state.history_pace.at = at if was == "fresh" else max(state.history_pace.at, at)


def is_busy(error: ApiError) -> bool:
    """Whether the server asks for patience: 5509, 429, or a 400 without a code (choice)."""
    return isinstance(error, BusyError) or (
        error.status == _BAD_REQUEST and error.error_code is None
    )


def is_internal(error: ApiError) -> bool:
    """Whether the server failed for no reason that it could name: on the request, perhaps."""
    return error.error_code in _INTERNAL_CODES or (
        error.error_code is None and error.status == _INTERNAL
    )


def found_no_server(error: ApiError) -> bool:
    """Whether no server was there to ask: no connection could be made, or none was free."""
    return is_unreachable(error) or error.error_code == _NOTHING_TAKEN


def is_unreachable(error: ApiError) -> bool:
    """Whether no connection could be made."""
    return isinstance(error, TransportError) and error.kind == "connect"


def put_off(step: Step, pace: Pace, error: ApiError) -> float:
    """Try again later, the later the more attempts have failed; returns in how many seconds."""
    pace.failures += 1
    delay = wait(step.settings, step.chat_id, pace.failures, error.retry_after)
    pace.at = step.now + delay
    return delay


def search_server(step: Step, error: ApiError) -> None:
    """After a poll that found no server the history is asked in its place until one is found.

    For a server that was away may have forgotten what it had not delivered. The one that is found
    is asked for one history, however long it was away, and the pace is that of polls alone. Where
    one is found that has no server free for histories, polls go on beside them.
    """
    delay = put_off(step, step.state.poll_pace, error)
    step.state.history_pace.failures = 0  # polls wait for the history again
    doubt(step, after=delay)
    change_link(step, "failed", str(error))


def may_have_arrived(error: ApiError) -> bool:
    """Whether the server may have done what was asked though it did not say so."""
    is_open = isinstance(error, (TransportError, TransientError))
    return is_open and not found_no_server(error)
