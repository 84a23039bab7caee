"""Prometheus: an observer that counts for a text page; extra `prometheus`.

    from prometheus_client import start_http_server
    from chatfsm.drivers.prometheus import PrometheusObserver

    observer = PrometheusObserver()
    async with aio.Chats(sender, observers=[observer]) as chats:
        observer.watch(chats.health)
        start_http_server(9100, "127.0.0.1")
        ...

The metrics are in the registry of `prometheus_client`, which also serves the page. No label holds
an id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from chatfsm.drivers import observing as o
from chatfsm.drivers.observing import ChatsHealth, Observation, RequestEnded, RequestSent

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.exposition import generate_latest
    from prometheus_client.registry import Collector
except ImportError:
    raise ImportError(
        "this needs prometheus_client: pip install 'chatfsm[prometheus]'", name="prometheus_client"
    ) from None

__all__ = ["PrometheusObserver"]

# Seconds. Servers hold a poll for half a minute.
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)


class PrometheusObserver(Collector):
    """An observer that keeps metrics in a registry. One may serve all chats of a process.

    `registry`: that of `prometheus_client` unless given; a registry has room for one observer.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._registry = registry
        self._healths: list[Callable[[], ChatsHealth]] = []

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"chatfsm_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"chatfsm_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(f"chatfsm_{name}", text, labels, registry=registry, buckets=_BUCKETS)

        self._duration = histogram(
            "http_request_duration_seconds",
            "Time from a request until its reply or failure; result: the status or the failure.",
            *("purpose", "method", "result"),
        )
        self._active = gauge(
            "http_requests_in_flight", "Requests without a reply or failure.", "purpose"
        )
        self._delivery = histogram(
            "message_delivery_seconds",
            "Time from the app's command until the server has the message.",
        )
        self._chats = gauge("chats", "Chats that are driven, by the state of the link.", "link")
        self._stopped = counter("chats_stopped", "Chats that are driven no more.", "reason")
        self._states = counter("states_entered", "Changes of sessions' states.", "state")
        self._messages = counter("messages", "Messages by what became of them.", "fate")
        self._undelivered = counter("events_undelivered", "Other events of customers, lost.")
        self._gaps = counter("gaps_repaired", "Gaps that a history has filled.")
        self._missed = counter("effects_missed", "Effects that only a history has brought.")
        self._duplicates = counter("duplicates", "Events that came again.")
        self._forms = counter("forms", "Forms by what became of them.", "state")
        self._anomalies = counter("anomalies", "Violations of the protocol by the server.", "kind")
        self._failed_saves = counter("saves_failed", "Saves that failed.", "error")
        registry.register(self)

    def watch(self, health: Callable[[], ChatsHealth]) -> None:
        """Report the health of many chats with each page, as `aio.Chats.health` returns it.

        `health` is called by the thread that makes the page. Several are added up.
        """
        self._healths.append(health)

    def page(self) -> bytes:
        """Return the page of the registry, in the text format of Prometheus."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the metrics of `watch`; the registry calls it."""
        healths = [health() for health in self._healths]
        if not healths:
            return
        yield GaugeMetricFamily(
            "chatfsm_events_queued",
            "Messages and other events of customers that may not have arrived.",
            value=sum(found.queued for found in healths),
        )
        yield GaugeMetricFamily(
            "chatfsm_effects_unhandled",
            "Effects that wait for the app.",
            value=sum(found.unhandled for found in healths),
        )
        silences = [found.oldest_silence for found in healths if found.oldest_silence is not None]
        if silences:
            yield GaugeMetricFamily(
                "chatfsm_oldest_silence_seconds",
                "The longest time since a reply to a poll.",
                value=max(silences),
            )

    def __call__(self, observation: Observation, /) -> None:  # noqa: C901, PLR0912  # a case for each
        """Receive an observation."""
        match observation:
            case RequestSent(purpose=purpose):
                self._active.labels(purpose).inc()
            case RequestEnded(request=sent, seconds=seconds):
                self._active.labels(sent.purpose).dec()
                result = str(observation.status or observation.failure)
                self._duration.labels(sent.purpose, sent.method, result).observe(seconds)
            case o.ChatStarted(link=link):
                self._chats.labels(link).inc()
            case o.LinkEntered(previous=previous, state=link):
                self._chats.labels(previous).dec()
                self._chats.labels(link).inc()
            case o.ChatStopped(link=link, reason=reason):
                self._chats.labels(link).dec()
                self._stopped.labels(reason).inc()
            case o.StateEntered(state=state):
                self._states.labels(state).inc()
            case o.IncomingMessage():
                self._messages.labels("received").inc()
            case o.OwnMessageDelivered(seconds=seconds):
                self._messages.labels("delivered").inc()
                if seconds is not None:
                    self._delivery.observe(seconds)
            case o.OwnEventUndelivered(event="message", is_final=is_final):
                self._messages.labels("undelivered" if is_final else "unconfirmed").inc()
            case o.OwnEventUndelivered():
                self._undelivered.inc()
            case o.GapRepaired(missed=missed):
                self._gaps.inc()
                self._missed.inc(missed)
            case o.DuplicatesIgnored(count=count):
                self._duplicates.inc(count)
            case o.FormProgress(state=state):
                self._forms.labels(state).inc()
            case o.AnomalyFound(kind=kind):
                self._anomalies.labels(kind).inc()
            case o.SaveFailed(error=error):
                self._failed_saves.labels(error).inc()
