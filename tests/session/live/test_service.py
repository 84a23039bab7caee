from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatfsm.effects import CaseChanged, CobrowsingChanged, ServiceNamed

if TYPE_CHECKING:
    from tests.session.live.conftest import Play


def test_a_case_is_told_when_it_changes(play: Play) -> None:
    """A case is told at first and whenever it is another one."""
    assert play.session.case_id is None
    assert play.hears("case_set", case_id="c-1") == [CaseChanged("c-1")]
    assert play.hears("case_set", case_id="c-1", timestamp="100") == []
    assert play.session.counts.duplicates == 1
    assert play.hears("case_set", case_id="c-2") == [CaseChanged("c-2")]
    assert play.session.case_id == "c-2"


@pytest.mark.parametrize("fields", [{}, {"case_id": ""}, {"case_id": None}])
def test_a_case_may_be_taken_away(play: Play, fields: dict[str, str | None]) -> None:
    """An empty or missing case id says that there is no case any more."""
    play.hears("case_set", case_id="c-1")

    assert play.hears("case_set", **fields) == [CaseChanged(None)]
    assert play.session.case_id is None
    assert play.hears("case_set", **fields) == []


def test_the_first_word_about_the_case_is_news(play: Play) -> None:
    """That there is no case is told where nothing was told before, once."""
    assert play.hears("case_set") == [CaseChanged(None)]
    assert play.hears("case_set") == []


def test_a_service_is_named(play: Play) -> None:
    """The name of the service is told when it is new."""
    assert play.session.service_name is None
    assert play.hears("info", service_name="Desk") == [ServiceNamed("Desk")]
    assert play.hears("info", service_name="Desk") == []
    assert play.session.counts.duplicates == 1
    assert play.hears("info", service_name="Front Desk") == [ServiceNamed("Front Desk")]
    assert play.session.service_name == "Front Desk"


@pytest.mark.parametrize("fields", [{}, {"service_name": ""}, {"service_name": {"odd": 1}}])
def test_an_info_without_a_name_names_nothing(play: Play, fields: dict[str, object]) -> None:
    """An info without a usable name leaves the name as it is."""
    play.hears("info", service_name="Desk")

    assert play.hears("info", **fields) == []
    assert play.session.service_name == "Desk"
    assert play.session.counts.events == 2


@pytest.mark.parametrize("step", ["requested", "rejected", "started", "ended"])
def test_a_step_of_cobrowsing_is_told(play: Play, step: str) -> None:
    """Each step of co-browsing is told where it is another than the last."""
    assert play.session.cobrowsing is None
    assert play.hears(f"cobrowsing_{step}") == [CobrowsingChanged(step)]
    assert play.session.cobrowsing == step
    assert play.hears(f"cobrowsing_{step}") == []
    assert play.session.counts.duplicates == 1


def test_cobrowsing_may_happen_twice(play: Play) -> None:
    """Co-browsing that ended may be requested again."""
    play.hears("cobrowsing_requested")
    play.hears("cobrowsing_ended")

    assert play.hears("cobrowsing_requested") == [CobrowsingChanged("requested")]
