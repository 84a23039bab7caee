"""OpenTelemetry: an observer that makes spans of requests, and metrics; extra `otel`.

    from chatfsm.drivers.opentelemetry import OpenTelemetryObserver

    async with aio.Chats(sender, observers=[OpenTelemetryObserver()]) as chats: ...

Requests follow the semantic conventions for HTTP clients: spans of kind CLIENT, and the metrics
`http.client.request.duration` and `http.client.active_requests`. No attribute holds an id: paths
are templates. The attribute `chatfsm.purpose` tells polls, which last as long as the server holds
them, from other requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from chatfsm.drivers import observing as o
from chatfsm.drivers.observing import ChatsHealth, Observation, RequestEnded, RequestSent

try:
    from opentelemetry.context import Context
    from opentelemetry.metrics import (
        CallbackOptions,
        MeterProvider,
        get_meter_provider,
    )
    from opentelemetry.metrics import (
        Observation as Measurement,
    )
    from opentelemetry.trace import (
        SpanKind,
        Status,
        StatusCode,
        TracerProvider,
        get_tracer_provider,
    )
except ImportError:
    raise ImportError(
        "this needs opentelemetry-api: pip install 'chatfsm[otel]'", name="opentelemetry"
    ) from None

__all__ = ["OpenTelemetryObserver"]

Attributes = dict[str, str | int]
Callback = Callable[[CallbackOptions], Iterable[Measurement]]

_NAME: Final = "chatfsm"
_FIRST_ERROR: Final = 400
# Seconds, as the convention asks for.
_BOUNDARIES: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_NANOSECONDS: Final = 1_000_000_000
_PORTS: Final = {("http", 80), ("https", 443)}


class OpenTelemetryObserver:
    """An observer for the API of OpenTelemetry; the app configures the SDK.

    One may serve all chats of a process. `tracer_provider` and `meter_provider`: None for the
    global ones. A span has no parent, since a poll belongs to no call of the app; only a request
    that the app made by `ask` is a child of the current span, with the asynchronous driver.
    `chat_ids`: give spans the attribute `chatfsm.chat_id`; metrics never have it.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        chat_ids: bool = False,
    ) -> None:
        self._chat_ids = chat_ids
        self._tracer = (tracer_provider or get_tracer_provider()).get_tracer(_NAME)
        meter = self._meter = (meter_provider or get_meter_provider()).get_meter(_NAME)
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            "s",
            "Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_BOUNDARIES,
        )
        self._active = meter.create_up_down_counter(
            "http.client.active_requests", "{request}", "Number of active HTTP requests."
        )
        self._delivery = meter.create_histogram(
            "chatfsm.message.delivery.duration",
            "s",
            "Time from the app's command until the server has the message.",
            explicit_bucket_boundaries_advisory=_BOUNDARIES,
        )
        self._chats = meter.create_up_down_counter(
            "chatfsm.chats", "{chat}", "Chats that are driven, by the state of the link."
        )
        counter = meter.create_counter
        self._stopped = counter("chatfsm.chats.stopped", "{chat}", "Chats that are driven no more.")
        self._states = counter("chatfsm.states.entered", "{change}", "Changes of sessions' states.")
        self._messages = counter("chatfsm.messages", "{message}", "Messages, by their fate.")
        self._undelivered = counter(
            "chatfsm.events.undelivered", "{event}", "Other events of customers that were lost."
        )
        self._gaps = counter("chatfsm.gaps.repaired", "{gap}", "Gaps that a history has filled.")
        self._missed = counter("chatfsm.effects.missed", "{effect}", "Effects by histories alone.")
        self._duplicates = counter("chatfsm.duplicates", "{event}", "Events that came again.")
        self._forms = counter("chatfsm.forms", "{form}", "Forms by what became of them.")
        self._anomalies = counter("chatfsm.anomalies", "{anomaly}", "Violations of the protocol.")
        self._failed_saves = counter("chatfsm.saves.failed", "{save}", "Saves that failed.")

    def watch(self, health: Callable[[], ChatsHealth]) -> None:
        """Report the health of many chats with each collection, as `aio.Chats.health` returns it.

        `health` is called by a thread of the SDK.
        """

        def report(read: Callable[[ChatsHealth], float | None]) -> Callback:
            def callback(_options: CallbackOptions) -> Iterator[Measurement]:
                value = read(health())
                if value is not None:
                    yield Measurement(value)

            return callback

        gauge = self._meter.create_observable_gauge
        gauge(
            "chatfsm.events.queued",
            [report(lambda found: found.queued)],
            "{event}",
            "Messages and other events of customers that may not have arrived.",
        )
        gauge(
            "chatfsm.effects.unhandled",
            [report(lambda found: found.unhandled)],
            "{effect}",
            "Effects that wait for the app.",
        )
        gauge(
            "chatfsm.silence.oldest",
            [report(lambda found: found.oldest_silence)],
            "s",
            "The longest time since a reply to a poll.",
        )

    def __call__(self, observation: Observation, /) -> None:  # noqa: C901, PLR0912  # a case for each
        """Receive an observation."""
        match observation:
            case RequestSent():
                self._active.add(1, _target(observation))
            case RequestEnded():
                self._on_request_ended(observation)
            case o.ChatStarted(link=link):
                self._chats.add(1, {"chatfsm.link": link})
            case o.LinkEntered(previous=previous, state=link):
                self._chats.add(-1, {"chatfsm.link": previous})
                self._chats.add(1, {"chatfsm.link": link})
            case o.ChatStopped(link=link, reason=reason):
                self._chats.add(-1, {"chatfsm.link": link})
                self._stopped.add(1, {"chatfsm.reason": reason})
            case o.StateEntered(state=state):
                self._states.add(1, {"chatfsm.state": state})
            case o.IncomingMessage():
                self._messages.add(1, {"chatfsm.message.fate": "received"})
            case o.OwnMessageDelivered(seconds=seconds):
                self._messages.add(1, {"chatfsm.message.fate": "delivered"})
                if seconds is not None:
                    self._delivery.record(seconds)
            case o.OwnEventUndelivered(event="message", is_final=is_final):
                fate = "undelivered" if is_final else "unconfirmed"
                self._messages.add(1, {"chatfsm.message.fate": fate})
            case o.OwnEventUndelivered():
                self._undelivered.add(1)
            case o.GapRepaired(missed=missed):
                self._gaps.add(1)
                self._missed.add(missed)
            case o.DuplicatesIgnored(count=count):
                self._duplicates.add(count)
            case o.FormProgress(state=state):
                self._forms.add(1, {"chatfsm.form.state": state})
            case o.AnomalyFound(kind=kind):
                self._anomalies.add(1, {"chatfsm.anomaly": kind})
            case o.SaveFailed(error=error):
                self._failed_saves.add(1, {"error.type": error})

    def _on_request_ended(self, ended: RequestEnded) -> None:
        sent = ended.request
        target = _target(sent)
        outcome = _outcome(ended)
        self._active.add(-1, target)
        self._duration.record(ended.seconds, {**target, **outcome})
        attributes = {**target, **outcome, "url.full": _redacted_url(sent)}
        if self._chat_ids and ended.chat_id is not None:
            attributes["chatfsm.chat_id"] = ended.chat_id
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{sent.method} {sent.template}",
            context=None if sent.purpose == "api" else Context(),
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=end - int(ended.seconds * _NANOSECONDS),
        )
        if "error.type" in outcome:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)


def _target(sent: RequestSent) -> Attributes:
    """Return the attributes of a request; they have few values in a process."""
    return {
        "http.request.method": sent.method,
        "server.address": sent.host,
        "server.port": sent.port,
        "url.scheme": sent.scheme,
        "url.template": sent.template,
        "chatfsm.purpose": sent.purpose,
    }


def _outcome(ended: RequestEnded) -> Attributes:
    if ended.status is None:
        return {"error.type": ended.failure or "cancelled"}
    found: Attributes = {"http.response.status_code": ended.status}
    if ended.status >= _FIRST_ERROR:
        found["error.type"] = str(ended.status)
    return found


def _redacted_url(sent: RequestSent) -> str:
    """Return the URL without its query, and with `REDACTED` in place of ids."""
    port = "" if (sent.scheme, sent.port) in _PORTS else f":{sent.port}"
    host = f"[{sent.host}]" if ":" in sent.host else sent.host
    path = sent.template.format(chat="REDACTED", subject="REDACTED")
    return f"{sent.scheme}://{host}{port}{path}"
