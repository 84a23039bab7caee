"""API requests of the app: checked, sent, and answered by `ApiSucceeded` or `ApiFailed`."""

from __future__ import annotations

from http import HTTPStatus
from typing import cast

from chatfsm import api, events
from chatfsm._client import http_api, polling
from chatfsm._client.failures import handle_fatal, read_reply, request_history
from chatfsm._client.http_api import MethodSpec
from chatfsm._client.state import ClientTurn, PendingRequest
from chatfsm._plain import snake_case
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


def send(turn: ClientTurn, request: api.ApiRequest) -> None:
    """Send a request. Raises `LocalProtocolError`, changing nothing, if it is not allowed now."""
    method, settings = http_api.METHODS[type(request)], turn.settings
    _check(turn, request, method)
    turn.issue(
        "api",
        method,
        path=method.path_for(request, turn.chat_id),
        body=method.body(request),
        timeout=settings.file_timeout if method.is_file else settings.request_timeout,
        max_body=settings.max_file if method.is_download else settings.max_body,
        api_request=request,
    )


def on_answer(turn: ClientTurn, pending: PendingRequest, item: HttpReply | HttpFailure) -> None:
    """Report the result of a request, or its error."""
    request = cast("api.ApiRequest", pending.api_request)  # set if the purpose is "api"
    try:
        result = read_reply(turn, pending, http_api.METHODS[type(request)], item, is_chat=False)
    except ApiError as error:
        _on_error(turn, request, error)
        return
    if isinstance(request, api.RequestChat):
        _on_chat_opened(turn, request, result)
    else:
        turn.effects.append(ApiSucceeded(request, result))


def on_terminated(turn: ClientTurn) -> None:
    """Report the requests that will get no reply, because the chat is over.

    Downloads go on: a file may have been shared just before the end.
    """
    for number, pending in list(turn.state.pending.items()):
        request = pending.api_request
        if request is None or not http_api.METHODS[type(request)].is_download:
            del turn.state.pending[number]
            if request is not None:
                error = TransportError("cancelled", "the chat is over")
                turn.effects.append(ApiFailed(request, error))


def _check(turn: ClientTurn, request: api.ApiRequest, method: MethodSpec) -> None:
    cannot = f"cannot {snake_case(type(request)).replace('_', ' ')}"
    waiting = [
        pending.api_request
        for pending in turn.state.pending.values()
        if pending.api_request is not None
    ]
    if turn.session is not None and turn.session.done and not method.is_download:
        raise LocalProtocolError(f"{cannot}: the chat is over")
    if turn.state.link == "unauthorized":
        raise LocalProtocolError(f"{cannot}: the credentials were refused; send Resume first")
    if turn.endpoint.version not in method.versions:
        raise LocalProtocolError(
            f"{cannot}: version {turn.endpoint.version} of the API has no such method"
        )
    if method.needs_chat and turn.session is None:
        raise LocalProtocolError(f"{cannot}: there is no chat yet")
    if isinstance(request, api.RequestChat):
        if turn.session is not None:
            raise LocalProtocolError(f"{cannot}: this client has a chat already")
        if any(isinstance(other, api.RequestChat) for other in waiting):
            raise LocalProtocolError(f"{cannot}: another RequestChat has no reply yet")
    if len(waiting) >= turn.settings.max_api_requests:
        raise LocalProtocolError(
            f"{cannot}: {len(waiting)} requests wait for a reply, max_api_requests is"
            f" {turn.settings.max_api_requests}"
        )


def _on_error(turn: ClientTurn, request: api.ApiRequest, error: ApiError) -> None:
    is_answer = error.status == HTTPStatus.NOT_FOUND and not error.transient
    if isinstance(request, api.GetActiveChat) and is_answer:
        turn.effects.append(ApiSucceeded(request, None))  # PROTOCOL.md §1: no active chat
        return
    is_download = http_api.METHODS[type(request)].is_download
    if is_download and isinstance(error, AuthorizationError) and error.error_code is None:
        # Only this file is refused: the server accepts the credentials in other requests.
        error = FileError(str(error), status=error.status)
    turn.effects.append(ApiFailed(request, error))
    handle_fatal(turn, error)


def _on_chat_opened(
    turn: ClientTurn, request: api.RequestChat, chat: api.SessionProperties
) -> None:
    """Make the session and start to poll; if the chat may have a past, the history comes first."""
    turn.open_session(chat.chat_id)
    polling.start(turn)
    turn.effects += [
        ChatOpened(chat.chat_id, chat.is_new is not False),
        ApiSucceeded(request, chat),
    ]
    if chat.state is not None:
        turn.feed_events([events.Status(chat.state, chat.ewt)])
    if chat.is_new is not True:
        turn.state.is_joining = True
        request_history(turn)
