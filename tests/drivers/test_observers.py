"""The two observers of the package, with their real libraries: the data of one chat."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from chatfsm.commands import CancelForm, SendText
from chatfsm.drivers import observing as o
from chatfsm.drivers.opentelemetry import OpenTelemetryObserver
from chatfsm.drivers.prometheus import PrometheusObserver
from tests.drivers.core_harness import APP_ID, CLIENT_ID, OPENED, CoreHarness

MESSAGE = {"event": "chat_session_message", "party_id": "p-1", "msg_id": "m1", "msg": "Hello Tove"}
FORM = {"event": "chat_session_form_show", "form_request_id": "7"}
SECRETS = ("Hello", "p-1", "m1", "Tove", "chat-1", "tenant.example", APP_ID, CLIENT_ID)
EVENTS = "/clientweb/api/v2/chats/{chat}/events"


def run_a_chat(observer: o.Observer) -> CoreHarness:
    """Run a chat in which each observation occurs; it is left open, with a poll in flight."""
    chat = CoreHarness(observers=(observer,))
    chat.reply("api", OPENED, at=0.5)
    chat.receive(SendText("Hello"), at=0.6)
    chat.reply("post", {}, at=0.85)
    chat.receive(SendText("Hello again"), at=0.9)
    odd = {"event": "chat_session_party_left", "party_id": "p-9"}
    connected = {"event": "chat_session_status", "state": "connected"}
    events = [connected, MESSAGE, MESSAGE, FORM, odd]
    chat.reply("poll", {"events": events}, at=1.0)
    chat.fail("post", at=1.5)
    chat.receive(CancelForm("7"), at=2.0)
    chat.tick(at=5.0)
    chat.reply("history", {"events": [{**MESSAGE, "msg_id": "m2", "msg": "Tove"}]}, at=6.0)
    chat.reply("post", {"error_code": "5603"}, at=7.0, status=400)
    chat.tick(at=7.1)
    chat.reply("post", {"error_code": "5603"}, at=8.0, status=400)
    chat.tick(at=8.1)
    chat.reply("post", {"error_code": "5603"}, at=9.0, status=400)
    chat.save_error = OSError("disk")
    chat.reply("poll", {"events": [MESSAGE]}, at=9.5)
    chat.save_error = None
    chat.tick(at=10.5)
    return chat


def test_the_chat_has_each_observation() -> None:
    """The chat covers each case of an observer."""
    seen: list[o.Observation] = []
    run_a_chat(seen.append).core.close(12.0, None)
    assert {*map(type, seen)} == {*o.Observation.__args__}  # type: ignore[attr-defined]


class Collected:
    """An observer with the SDK of OpenTelemetry in memory, and what that collects."""

    def __init__(self, **options: Any) -> None:
        self._exporter, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers, meters = TracerProvider(), MeterProvider([self._reader])
        tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracers = tracers
        self.observer = OpenTelemetryObserver(tracers, meters, **options)

    def spans(self) -> list[ReadableSpan]:
        return [*self._exporter.get_finished_spans()]

    def points(self) -> dict[str, list[Any]]:
        """The data points by the names of metrics."""
        data = self._reader.get_metrics_data()
        assert data is not None
        [scope] = [scope for found in data.resource_metrics for scope in found.scope_metrics]
        return {metric.name: [*metric.data.data_points] for metric in scope.metrics}

    def values(self, name: str, label: str) -> dict[Any, Any]:
        """The values of a metric by an attribute."""
        return {point.attributes.get(label): point.value for point in self.points()[name]}


def test_a_request_has_a_span() -> None:
    """The span has method and template, kind client, and the attributes of the convention."""
    collected = Collected()
    run_a_chat(collected.observer)
    first, post, poll, broken, *_ = collected.spans()
    assert [span.name for span in (first, post, poll)] == [
        "POST /clientweb/api/v2/chats",
        f"POST {EVENTS}",
        f"GET {EVENTS}",
    ]
    assert post.kind is SpanKind.CLIENT
    assert dict(post.attributes or {}) == {
        "http.request.method": "POST",
        "server.address": "chat.example.com",
        "server.port": 443,
        "url.scheme": "https",
        "url.template": EVENTS,
        "url.full": "https://chat.example.com/clientweb/api/v2/chats/REDACTED/events",
        "http.response.status_code": 200,
        "chatfsm.purpose": "post",
    }
    assert (post.end_time or 0) - (post.start_time or 0) == pytest.approx(250_000_000, abs=1000)
    assert post.status.status_code is StatusCode.UNSET
    assert broken.status.status_code is StatusCode.ERROR
    assert (broken.attributes or {})["error.type"] == "protocol"


def test_an_error_status_is_an_error() -> None:
    """A status of 400 or above is an error, with the status as its type."""
    collected = Collected()
    run_a_chat(collected.observer)
    [refused, *_] = [
        span.attributes or {}
        for span in collected.spans()
        if (span.attributes or {}).get("http.response.status_code") == 400
    ]
    assert refused["error.type"] == "400"


def test_only_a_request_of_the_app_has_a_parent() -> None:
    """A poll has no parent, even if it follows from a request of the app."""
    collected = Collected()
    with collected.tracers.get_tracer("app").start_as_current_span("serve"):
        run_a_chat(collected.observer)
    parents = {
        (span.attributes or {})["chatfsm.purpose"]: span.parent is not None
        for span in collected.spans()
        if span.name != "serve"
    }
    assert parents == {"api": True, "post": False, "poll": False, "history": False}


def test_durations_follow_the_convention() -> None:
    """`http.client.request.duration` in seconds, with the boundaries that it asks for."""
    collected = Collected()
    run_a_chat(collected.observer)
    points = collected.points()["http.client.request.duration"]
    [post] = [
        point
        for point in points
        if point.attributes["chatfsm.purpose"] == "post"
        and point.attributes.get("http.response.status_code") == 200
    ]
    assert (post.count, post.sum) == (1, pytest.approx(0.25))
    assert post.explicit_bounds[:3] == (0.005, 0.01, 0.025)
    assert "url.full" not in post.attributes


def test_the_other_metrics_are_those_of_chats() -> None:
    """There are counts by link, state, fate and kind, and gauges return to their start."""
    collected = Collected()
    chat = run_a_chat(collected.observer)
    assert collected.values("chatfsm.chats", "chatfsm.link") == {
        "waiting": 0,
        "live": 1,
    }
    assert collected.values("chatfsm.messages", "chatfsm.message.fate") == {
        "received": 2,
        "delivered": 1,
        "unconfirmed": 1,
        "undelivered": 1,
    }
    assert collected.values("http.client.active_requests", "chatfsm.purpose")["poll"] == 1
    assert collected.values("chatfsm.anomalies", "chatfsm.anomaly") == {"unknown_party": 1}
    chat.core.close(12.0, None)
    assert {point.value for point in collected.points()["http.client.active_requests"]} == {0}
    assert {point.value for point in collected.points()["chatfsm.chats"]} == {0}
    assert collected.values("chatfsm.chats.stopped", "chatfsm.reason") == {"closed": 1}


def test_no_span_and_no_metric_holds_an_id_or_a_text() -> None:
    """The chat id is in spans only by option."""
    collected, named = Collected(), Collected(chat_ids=True)
    for each in (collected, named):
        run_a_chat(each.observer)
    text = "".join(span.to_json() for span in collected.spans()) + repr(collected.points())
    assert [secret for secret in SECRETS if secret in text] == []
    ids = {(span.attributes or {}).get("chatfsm.chat_id") for span in named.spans()}
    assert ids == {"chat-1"}
    assert "chat-1" not in repr(named.points())


def health() -> o.ChatsHealth:
    return o.ChatsHealth(2, {"live": 2}, {}, 2, 5, 7, 0, 0, 3.5)


def quiet() -> o.ChatsHealth:
    return o.ChatsHealth(1, {"waiting": 1}, {}, 1, 1, 0, 0, 0, None)


def test_the_health_is_read_with_each_collection() -> None:
    """Without a reply there is no time of silence."""
    collected, unanswered = Collected(), Collected()
    collected.observer.watch(health)
    unanswered.observer.watch(quiet)
    assert {name: point.value for name, [point] in collected.points().items()} == {
        "chatfsm.events.queued": 5,
        "chatfsm.effects.unhandled": 7,
        "chatfsm.silence.oldest": 3.5,
    }
    assert "chatfsm.silence.oldest" not in {
        name for name, points in unanswered.points().items() if points
    }


def samples(page: bytes) -> dict[tuple[str, ...], float]:
    """Return the samples of a page by name and labels, without buckets and dates."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_created"))
    }


def test_the_page_of_prometheus_counts_the_chat() -> None:
    """Names have units and `_total`, labels have few values, and gauges end at zero."""
    observer = PrometheusObserver(CollectorRegistry())
    chat = run_a_chat(observer)
    found = samples(observer.page())
    assert found["chatfsm_http_request_duration_seconds_count", "POST", "post", "200"] == 1
    total = found["chatfsm_http_request_duration_seconds_sum", "POST", "post", "200"]
    assert total == pytest.approx(0.25)
    assert found["chatfsm_http_request_duration_seconds_count", "POST", "post", "protocol"] == 1
    assert found["chatfsm_http_requests_in_flight", "poll"] == 1
    assert found["chatfsm_chats", "live"] == 1
    assert found["chatfsm_messages_total", "undelivered"] == 1
    assert found["chatfsm_events_undelivered_total",] == 1
    assert found["chatfsm_gaps_repaired_total",] == 1
    assert found["chatfsm_saves_failed_total", "OSError"] == 1
    chat.core.close(12.0, None)
    found = samples(observer.page())
    gauges = {
        value
        for (name, *_), value in found.items()
        if name in {"chatfsm_chats", "chatfsm_http_requests_in_flight"}
    }
    assert gauges == {0}


def test_the_page_holds_no_id_and_no_text() -> None:
    """No text of the chat is in the page."""
    observer = PrometheusObserver(CollectorRegistry())
    run_a_chat(observer)
    page = observer.page().decode()
    assert [secret for secret in SECRETS if secret in page] == []


def test_the_page_adds_up_the_health_of_all() -> None:
    """Groups of chats are summed, with the longest silence of all."""
    observer = PrometheusObserver(CollectorRegistry())
    observer.watch(quiet)
    assert ("chatfsm_oldest_silence_seconds",) not in samples(observer.page())
    observer.watch(health)
    found = samples(observer.page())
    assert found["chatfsm_events_queued",] == 6
    assert found["chatfsm_effects_unhandled",] == 7
    assert found["chatfsm_oldest_silence_seconds",] == 3.5


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [("opentelemetry", "opentelemetry-api", "otel"), ("prometheus",) * 3],
)
def test_a_missing_library_is_named_with_its_extra(
    module: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Importing an observer without its library names the extra to install."""
    for name in ("opentelemetry.context", "prometheus_client"):
        monkeypatch.setitem(sys.modules, name, None)
    source = Path(o.__file__).with_name(f"{module}.py")
    code: Callable[..., Any] = compile(source.read_text("utf-8"), str(source), "exec")
    with pytest.raises(ImportError, match=rf"pip install 'chatfsm\[{extra}\]'"):
        exec(code, {"__name__": "again"})  # noqa: S102  # run the module again without its library
