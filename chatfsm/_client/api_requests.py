"""What the app asks for: checked, sent, and answered by name."""

from __future__ import annotations

from typing import Final, cast

from chatfsm import api as c
from chatfsm import events
from chatfsm._client import http_api, polling
from chatfsm._client.failures import answer_in, consequences, doubt
from chatfsm._client.http_api import Method
from chatfsm._client.state import Owed, Step
from chatfsm._plain import snake
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

__all__ = ["abandon", "answered", "ask"]

_NOT_FOUND: Final = 404


def ask(step: Step, call: ApiRequest) -> None:
    """Send a call of the app's. Raises `LocalProtocolError`, and then nothing has changed."""
    method, settings = http_api.METHODS[type(call)], step.settings
    _check(step, call, method)
    step.ask(
        "call",
        method,
        path=method.path_for(call, step.chat_id),
        body=method.body(call),
        timeout=settings.file_timeout if method.is_file else settings.request_timeout,
        max_body=settings.max_file if method.is_download else settings.max_body,
        call=call,
    )


def _check(step: Step, call: ApiRequest, method: Method) -> None:
    what = f"cannot {snake(type(call)).replace('_', ' ')}"
    waiting = [owed.call for owed in step.state.owed.values() if owed.call is not None]
    if step.session is not None and step.session.done:
        raise LocalProtocolError(f"{what}: the chat is over")
    if step.state.link == "unauthorized":
        raise LocalProtocolError(f"{what}: the credentials were refused, and nobody resumed")
    if step.endpoint.version not in method.versions:
        raise LocalProtocolError(f"{what}: version {step.endpoint.version} of the API has no such")
    if method.on_chat and step.session is None:
        raise LocalProtocolError(f"{what}: there is no chat yet")
    if isinstance(call, c.RequestChat):
        if step.session is not None:
            raise LocalProtocolError(f"{what}: there is one, and a client has no second")
        if any(isinstance(other, c.RequestChat) for other in waiting):
            raise LocalProtocolError(f"{what}: one is being requested")
    if len(waiting) >= step.settings.max_calls:
        raise LocalProtocolError(f"{what}: {len(waiting)} calls wait for an answer")


def answered(step: Step, owed: Owed, item: HttpReply | HttpFailure) -> None:
    """Tell the app the answer to its call, or why there is none."""
    call = cast("ApiRequest", owed.call)  # what is owed for a call has it
    try:
        value = answer_in(step, owed, http_api.METHODS[type(call)], item, is_chat=False)
    except ApiError as error:
        _refused(step, call, error)
        return
    if isinstance(call, c.RequestChat):
        _opened(step, call, value)
    else:
        step.effects.append(ApiSucceeded(call, value))


def abandon(step: Step) -> None:
    """Tell the app of every call that will not be answered any more: the chat is over."""
    for owed in step.state.owed.values():
        if owed.call is not None:
            step.effects.append(
                ApiFailed(owed.call, TransportError("cancelled", "the chat is over"))
            )


def _refused(step: Step, call: ApiRequest, error: ApiError) -> None:
    if isinstance(call, c.GetActiveChat) and error.status == _NOT_FOUND:
        step.effects.append(ApiSucceeded(call, None))  # PROTOCOL.md §1: 404 means none
        return
    is_download = http_api.METHODS[type(call)].is_download
    if is_download and isinstance(error, AuthorizationError) and error.error_code is None:
        # What is refused is this file: who asks was accepted a moment ago.
        error = FileError(str(error), status=error.status)
    step.effects.append(ApiFailed(call, error))
    consequences(step, error)


def _opened(step: Step, call: c.RequestChat, chat: SessionProperties) -> None:
    """There is a chat. One that goes on, or may, has a past, which comes before what is new."""
    step.session = step.make_session(chat.chat_id, settings=step.settings.session)
    polling.open_up(step)
    step.effects += [ChatOpened(chat.chat_id, chat.is_new is not False), ApiSucceeded(call, chat)]
    if chat.state is not None:
        step.hear(events.Status(chat.state, chat.ewt))
    if chat.is_new is not True:
        doubt(step)
