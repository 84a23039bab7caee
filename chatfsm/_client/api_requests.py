"""What the app asks for: checked, sent, and answered by name."""

from __future__ import annotations

from typing import Final, cast

from chatfsm import api as c
from chatfsm import events
from chatfsm._client import http_api, polling
from chatfsm._client.failures import handle_fatal, read_reply, request_history
from chatfsm._client.http_api import ApiMethod
from chatfsm._client.state import ClientTurn, PendingRequest
from chatfsm._plain import snake_case
from chatfsm.api import ApiRequest, SessionProperties
from chatfsm.client_effects import ApiFailed, ApiSucceeded, ChatOpened
from chatfsm.errors import (
    ApiError,
    AuthorizationError,
    FileError,
    LocalProtocolError,
    TransportError,
)
from chatfsm.transport import HttpFailure, HttpReply

__all__ = ["on_answer", "on_terminated", "send"]

_NOT_FOUND: Final = 404


def send(turn: ClientTurn, call: ApiRequest) -> None:
    """Send a call of the app's. Raises `LocalProtocolError`, and then nothing has changed."""
    method, settings = http_api.METHODS[type(call)], turn.settings
    _check(turn, call, method)
    turn.issue(
        "api",
        method,
        path=method.path_for(call, turn.chat_id),
        body=method.body(call),
        timeout=settings.file_timeout if method.is_file else settings.request_timeout,
        max_body=settings.max_file if method.is_download else settings.max_body,
        call=call,
    )


def _check(turn: ClientTurn, call: ApiRequest, method: ApiMethod) -> None:
    what = f"cannot {snake_case(type(call)).replace('_', ' ')}"
    waiting = [
        pending.api_request
        for pending in turn.state.pending.values()
        if pending.api_request is not None
    ]
    if turn.session is not None and turn.session.done:
        raise LocalProtocolError(f"{what}: the chat is over")
    if turn.state.link == "unauthorized":
        raise LocalProtocolError(f"{what}: the credentials were refused, and nobody resumed")
    if turn.endpoint.version not in method.versions:
        raise LocalProtocolError(f"{what}: version {turn.endpoint.version} of the API has no such")
    if method.needs_chat and turn.session is None:
        raise LocalProtocolError(f"{what}: there is no chat yet")
    if isinstance(call, c.RequestChat):
        if turn.session is not None:
            raise LocalProtocolError(f"{what}: there is one, and a client has no second")
        if any(isinstance(other, c.RequestChat) for other in waiting):
            raise LocalProtocolError(f"{what}: one is being requested")
    if len(waiting) >= turn.settings.max_calls:
        raise LocalProtocolError(f"{what}: {len(waiting)} calls wait for an answer")


def on_answer(turn: ClientTurn, pending: PendingRequest, item: HttpReply | HttpFailure) -> None:
    """Tell the app the answer to its call, or why there is none."""
    call = cast("ApiRequest", pending.api_request)  # what is owed for a call has it
    try:
        value = read_reply(turn, pending, http_api.METHODS[type(call)], item, is_chat=False)
    except ApiError as error:
        _on_error(turn, call, error)
        return
    if isinstance(call, c.RequestChat):
        _on_chat_opened(turn, call, value)
    else:
        turn.effects.append(ApiSucceeded(call, value))


def on_terminated(turn: ClientTurn) -> None:
    """Tell the app of every call that will not be answered any more: the chat is over."""
    for pending in turn.state.pending.values():
        if pending.api_request is not None:
            turn.effects.append(
                ApiFailed(pending.api_request, TransportError("cancelled", "the chat is over"))
            )


def _on_error(turn: ClientTurn, call: ApiRequest, error: ApiError) -> None:
    if isinstance(call, c.GetActiveChat) and error.status == _NOT_FOUND:
        turn.effects.append(ApiSucceeded(call, None))  # PROTOCOL.md §1: 404 means none
        return
    is_download = http_api.METHODS[type(call)].is_download
    if is_download and isinstance(error, AuthorizationError) and error.error_code is None:
        # What is refused is this file: who asks was accepted a moment ago.
        error = FileError(str(error), status=error.status)
    turn.effects.append(ApiFailed(call, error))
    handle_fatal(turn, error)


def _on_chat_opened(turn: ClientTurn, call: c.RequestChat, chat: SessionProperties) -> None:
    """There is a chat. One that goes on, or may, has a past, which comes before what is new."""
    turn.open_session(chat.chat_id)
    polling.start(turn)
    turn.effects += [ChatOpened(chat.chat_id, chat.is_new is not False), ApiSucceeded(call, chat)]
    if chat.state is not None:
        turn.feed_session(events.Status(chat.state, chat.ewt))
    if chat.is_new is not True:
        request_history(turn)
