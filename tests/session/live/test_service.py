from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatfsm.effects import CaseChanged, CobrowsingChanged, ServiceNamed

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness


def test_a_case_is_reported_when_it_changes(harness: Harness) -> None:
    """A case is reported at first and whenever it changes."""
    assert harness.session.case_id is None
    assert harness.feed("case_set", case_id="c-1") == [CaseChanged("c-1")]
    assert harness.feed("case_set", case_id="c-1", timestamp="100") == []
    assert harness.session.counts.duplicates == 1
    assert harness.feed("case_set", case_id="c-2") == [CaseChanged("c-2")]
    assert harness.session.case_id == "c-2"


@pytest.mark.parametrize("fields", [{}, {"case_id": ""}, {"case_id": None}])
def test_a_case_may_be_taken_away(harness: Harness, fields: dict[str, str | None]) -> None:
    """An empty or missing case id clears the case."""
    harness.feed("case_set", case_id="c-1")

    assert harness.feed("case_set", **fields) == [CaseChanged(None)]
    assert harness.session.case_id is None
    assert harness.feed("case_set", **fields) == []


def test_the_first_event_without_a_case_is_reported(harness: Harness) -> None:
    """The first event without a case is reported, once."""
    assert harness.feed("case_set") == [CaseChanged(None)]
    assert harness.feed("case_set") == []


def test_a_service_is_named(harness: Harness) -> None:
    """The name of the service is reported when it changes."""
    assert harness.session.service_name is None
    assert harness.feed("info", service_name="Desk") == [ServiceNamed("Desk")]
    assert harness.feed("info", service_name="Desk") == []
    assert harness.session.counts.duplicates == 1
    assert harness.feed("info", service_name="Front Desk") == [ServiceNamed("Front Desk")]
    assert harness.session.service_name == "Front Desk"


@pytest.mark.parametrize("fields", [{}, {"service_name": ""}, {"service_name": {"odd": 1}}])
def test_an_info_without_a_name_names_nothing(harness: Harness, fields: dict[str, object]) -> None:
    """An info without a usable name leaves the name unchanged."""
    harness.feed("info", service_name="Desk")

    assert harness.feed("info", **fields) == []
    assert harness.session.service_name == "Desk"
    assert harness.session.counts.events == 2


@pytest.mark.parametrize("step", ["requested", "rejected", "started", "ended"])
def test_a_step_of_cobrowsing_is_reported(harness: Harness, step: str) -> None:
    """A step of co-browsing is reported if it differs from the last."""
    assert harness.session.cobrowsing is None
    assert harness.feed(f"cobrowsing_{step}") == [CobrowsingChanged(step)]
    assert harness.session.cobrowsing == step
    assert harness.feed(f"cobrowsing_{step}") == []
    assert harness.session.counts.duplicates == 1


def test_cobrowsing_may_happen_twice(harness: Harness) -> None:
    """Co-browsing that ended may be requested again."""
    harness.feed("cobrowsing_requested")
    harness.feed("cobrowsing_ended")

    assert harness.feed("cobrowsing_requested") == [CobrowsingChanged("requested")]
