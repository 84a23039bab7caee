"""Names of metrics, with their labels, units and buckets: dashboards and alarms depend on them."""

from __future__ import annotations

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from chatfsm.drivers.opentelemetry import OpenTelemetryObserver
from chatfsm.drivers.prometheus import PrometheusObserver
from tests.drivers.test_observers import health, run_a_chat, samples

PROMETHEUS = {
    "chatfsm_http_request_duration_seconds": {"purpose", "method", "result"},
    "chatfsm_http_requests_in_flight": {"purpose"},
    "chatfsm_message_delivery_seconds": set(),
    "chatfsm_chats": {"link"},
    "chatfsm_chats_stopped": {"reason"},
    "chatfsm_states_entered": {"state"},
    "chatfsm_messages": {"fate"},
    "chatfsm_events_undelivered": set(),
    "chatfsm_gaps_repaired": set(),
    "chatfsm_effects_missed": set(),
    "chatfsm_duplicates": set(),
    "chatfsm_forms": {"state"},
    "chatfsm_anomalies": {"kind"},
    "chatfsm_saves_failed": {"error"},
    "chatfsm_events_queued": set(),
    "chatfsm_effects_unhandled": set(),
    "chatfsm_oldest_silence_seconds": set(),
}
BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60]
OPENTELEMETRY = {
    ("http.client.request.duration", "s"),
    ("http.client.active_requests", "{request}"),
    ("chatfsm.message.delivery.duration", "s"),
    ("chatfsm.chats", "{chat}"),
    ("chatfsm.chats.stopped", "{chat}"),
    ("chatfsm.states.entered", "{change}"),
    ("chatfsm.messages", "{message}"),
    ("chatfsm.events.undelivered", "{event}"),
    ("chatfsm.gaps.repaired", "{gap}"),
    ("chatfsm.effects.missed", "{effect}"),
    ("chatfsm.duplicates", "{event}"),
    ("chatfsm.forms", "{form}"),
    ("chatfsm.anomalies", "{anomaly}"),
    ("chatfsm.saves.failed", "{save}"),
    ("chatfsm.events.queued", "{event}"),
    ("chatfsm.effects.unhandled", "{effect}"),
    ("chatfsm.silence.oldest", "s"),
}


def page_of_a_chat() -> bytes:
    observer = PrometheusObserver(CollectorRegistry())
    observer.watch(health)
    run_a_chat(observer).core.close(12.0, None)
    return observer.page()


def test_the_metrics_of_prometheus() -> None:
    """`*_created` are those of the library."""
    families = [
        family
        for family in text_string_to_metric_families(page_of_a_chat().decode())
        if not family.name.endswith("_created")
    ]
    assert {
        family.name: {label for sample in family.samples for label in sample.labels} - {"le"}
        for family in families
    } == PROMETHEUS
    for family in families:
        bounds = [float(sample.labels["le"]) for sample in family.samples if "le" in sample.labels]
        assert bounds == sorted(bounds) or family.name == "chatfsm_http_request_duration_seconds"
        assert {*bounds} <= {*BUCKETS, float("inf")}
        assert not bounds or {*BUCKETS} <= {*bounds}


def test_the_counters_of_prometheus_count() -> None:
    """A repeated event, an anomaly and a form of the chat are counted once each."""
    found = samples(page_of_a_chat())
    assert found["chatfsm_duplicates_total",] == 2
    assert found["chatfsm_anomalies_total", "unknown_party"] == 1
    assert found["chatfsm_forms_total", "opened"] == 1
    assert found["chatfsm_states_entered_total", "connected"] == 1
    assert found["chatfsm_chats_stopped_total", "closed"] == 1


def test_the_metrics_of_opentelemetry() -> None:
    """The units are those of UCUM, as OpenTelemetry's conventions ask."""
    reader = InMemoryMetricReader()
    observer = OpenTelemetryObserver(None, MeterProvider([reader]))
    observer.watch(health)
    run_a_chat(observer).core.close(12.0, None)
    data = reader.get_metrics_data()
    assert data is not None
    [scope] = [scope for found in data.resource_metrics for scope in found.scope_metrics]
    assert {(metric.name, metric.unit) for metric in scope.metrics} == OPENTELEMETRY
