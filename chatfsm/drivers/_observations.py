"""Observations of one chat: derived from its requests and effects, for both drivers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from attrs import define, field

from chatfsm import client_effects, effects
from chatfsm._client.client import ChatClient
from chatfsm._log import log_fields, logger
from chatfsm.commands import SendFile, SendText
from chatfsm.drivers import observing as o
from chatfsm.drivers.observing import Observation, Observer, RequestSent
from chatfsm.transport import FailureKind, HttpFailure, HttpReply, HttpRequest

__all__ = ["ChatObservations"]

_PORTS: Final = {"http": 80, "https": 443}


def _scheme_and_address(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]


@define(eq=False)
class ChatObservations:
    """Passes observations of one chat on to its observers.

    The driver's core calls it after each step. It remembers only what two steps have to do with
    each other.
    """

    observers: tuple[Observer, ...]
    _client: ChatClient
    _link: str = field(init=False)
    _state: str | None = field(init=False)
    _server: tuple[str, str, int] = field(init=False)
    """Scheme, host and port."""
    _base: str = field(init=False)
    """Path that is common to all requests."""
    _duplicates: int = field(init=False)
    _merged: int = field(init=False)
    _is_started: bool = field(default=False, init=False)
    _is_stopped: bool = field(default=False, init=False)
    _in_flight: dict[int, tuple[RequestSent, float]] = field(factory=dict, init=False)
    """Requests and their times by their ids."""
    _sent_at: dict[str, float] = field(factory=dict, init=False)
    """Times of the app's messages that are not confirmed yet; the session bounds their number."""
    _reported: set[int] = field(factory=set, init=False)
    """Numbers of the observers whose error was logged."""

    def __attrs_post_init__(self) -> None:
        client, session = self._client, self._client.session
        self._link = client.health(0.0).link
        self._state = None if session is None else session.state
        self._server = _scheme_and_address(client.endpoint.url)
        self._base = f"/clientweb/api/v{client.endpoint.version}/"
        self._duplicates = 0 if session is None else session.counts.duplicates
        self._merged = client.merged_histories

    @property
    def _chat_id(self) -> str | None:
        session = self._client.session
        return None if session is None else session.chat_id

    def on_sent(self, request: HttpRequest, now: float) -> None:
        """Report that a request was given to the sender."""
        sent = RequestSent(
            self._chat_id,
            *(request.purpose, request.method, self._base + request.template),
            *self._server,
            len(request.body),
        )
        self._in_flight[request.id] = sent, now
        self._notify(sent)

    def on_step(self, item: object, found: Iterable[object], now: float) -> None:
        """Report what follows from an input of the client and its effects."""
        self._start()
        if isinstance(item, HttpReply):
            self._end_request(item.id, now, status=item.status, size=len(item.body))
        elif isinstance(item, HttpFailure):
            self._end_request(item.id, now, failure=item.kind)
        elif isinstance(item, SendText | SendFile):
            session = self._client.session
            if session is not None and session.last_msg_id is not None:
                self._sent_at[session.last_msg_id] = now
        missed = 0
        for effect in found:
            missed += getattr(effect, "replayed", False)
            report = self._REPORTS.get(type(effect))
            if report is not None:
                report(self, effect, now)
        if isinstance(item, HttpReply):
            self._report_counts(missed)
        if self._client.done:
            self._stop("over")

    def on_save_failed(self, error: Exception) -> None:
        """Report that the chat could not be saved."""
        self._notify(o.SaveFailed(self._chat_id, type(error).__name__))

    def on_error(self) -> None:
        """Report that an error of the client has stopped the chat."""
        self._start()
        self._stop("error")

    def on_closed(self, now: float) -> None:
        """Report that the app has left the chat, whose requests have no results any more."""
        if self._is_started:
            self._stop("closed")
        for request_id in [*self._in_flight]:
            self._end_request(request_id, now, failure="cancelled")

    def _start(self) -> None:
        if not self._is_started:
            self._is_started = True
            self._notify(o.ChatStarted(self._chat_id, self._link, self._state))

    def _stop(self, reason: o.StopReason) -> None:
        if not self._is_stopped:
            self._is_stopped = True
            self._notify(o.ChatStopped(self._chat_id, self._link, self._state, reason))

    def _end_request(
        self,
        request_id: int,
        now: float,
        *,
        status: int | None = None,
        failure: FailureKind | None = None,
        size: int = 0,
    ) -> None:
        sent = self._in_flight.pop(request_id, None)
        if sent is not None:  # else it was never given to the sender
            request, since = sent
            seconds = max(0.0, now - since)
            self._notify(o.RequestEnded(self._chat_id, request, status, failure, seconds, size))

    def _report_counts(self, missed: int) -> None:
        """Report what the client and the session only count."""
        client, session = self._client, self._client.session
        if client.merged_histories != self._merged:
            self._merged = client.merged_histories
            self._notify(o.GapRepaired(self._chat_id, missed))
        duplicates = 0 if session is None else session.counts.duplicates
        if duplicates != self._duplicates:
            new, self._duplicates = duplicates - self._duplicates, duplicates
            self._notify(o.DuplicatesIgnored(self._chat_id, new))

    def _notify(self, observation: Observation) -> None:
        for number, observer in enumerate(self.observers):
            try:
                observer(observation)
            except Exception as error:  # noqa: BLE001  # an observer of the app's may have bugs
                self._log(number, error)

    def _log(self, number: int, error: Exception) -> None:
        """Log the first error of an observer, and each of them for debugging: with its text."""
        name = type(error).__name__
        if number not in self._reported:
            self._reported.add(number)
            logger.error("an observer raised %s", name, extra=log_fields(self._chat_id, self._link))
        logger.debug(
            "an observer raised", exc_info=error, extra=log_fields(self._chat_id, self._link)
        )

    # Effects and what they report.

    def _on_link(self, effect: client_effects.LinkChanged, _now: float) -> None:
        previous, self._link = self._link, effect.state
        self._notify(o.LinkEntered(self._chat_id, previous, effect.state))

    def _on_state(self, effect: effects.StateChanged, _now: float) -> None:
        previous, self._state = self._state, effect.state
        self._notify(o.StateEntered(self._chat_id, previous, effect.state, effect.replayed))

    def _on_message(self, effect: effects.MessageReceived, _now: float) -> None:
        if not effect.message.own:
            self._notify(o.IncomingMessage(self._chat_id, effect.replayed))

    def _on_delivered(self, effect: effects.MessageSent, now: float) -> None:
        at = self._sent_at.pop(effect.msg_id, None)
        seconds = None if at is None else max(0.0, now - at)
        self._notify(o.OwnMessageDelivered(self._chat_id, seconds))

    def _on_failed(self, effect: effects.MessageFailed, _now: float) -> None:
        self._sent_at.pop(effect.msg_id, None)
        self._notify(o.OwnEventUndelivered(self._chat_id, "message", is_final=True))

    def _on_unconfirmed(self, _effect: effects.MessageUnconfirmed, _now: float) -> None:
        is_final = self._client.done
        self._notify(o.OwnEventUndelivered(self._chat_id, "message", is_final))

    def _on_undelivered(self, effect: client_effects.Undelivered, _now: float) -> None:
        self._notify(o.OwnEventUndelivered(self._chat_id, effect.event, is_final=True))

    def _on_form_opened(self, _effect: effects.FormOpened, _now: float) -> None:
        self._notify(o.FormProgress(self._chat_id, "opened"))

    def _on_form_closed(self, effect: effects.FormClosed, _now: float) -> None:
        self._notify(o.FormProgress(self._chat_id, effect.reason))

    def _on_anomaly(self, effect: effects.Anomaly, _now: float) -> None:
        self._notify(o.AnomalyFound(self._chat_id, effect.kind))

    _REPORTS: ClassVar[dict[type, Callable[[Any, Any, float], None]]] = {
        client_effects.LinkChanged: _on_link,
        effects.StateChanged: _on_state,
        effects.MessageReceived: _on_message,
        effects.MessageSent: _on_delivered,
        effects.MessageFailed: _on_failed,
        effects.MessageUnconfirmed: _on_unconfirmed,
        client_effects.Undelivered: _on_undelivered,
        effects.FormOpened: _on_form_opened,
        effects.FormClosed: _on_form_closed,
        effects.Anomaly: _on_anomaly,
    }
