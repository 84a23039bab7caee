"""Fault specifications: parsing, writing and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import asdict
from hypothesis import given

from chatfsm._client.failures import error_in, parse_reply
from chatfsm.simulator.faults import KINDS, PRESETS, Fault, Faults
from chatfsm.testing.strategies import fault_plans

SPECS: dict[str, Fault] = {
    "drop-reply:0.05": Fault("drop-reply", rate=0.05),
    "duplicate:poll:0.1": Fault("duplicate", "poll", rate=0.1),
    "500/5500:post@3": Fault("status", "post", at=3, status=500, code="5500"),
    "delay=2:0.2": Fault("delay", rate=0.2, seconds=2.0),
    "late=40:post@1": Fault("late", "post", at=1, seconds=40.0),
    "restart:@50": Fault("restart", at=50),
    "jump=-3600:@80": Fault("jump", at=80, seconds=-3600.0),
    "refuse": Fault("refuse"),
    "reset:upload": Fault("reset", "upload"),
    "429=3:poll": Fault("status", "poll", status=429, seconds=3.0),
    "503/5001=2.5": Fault("status", status=503, code="5001", seconds=2.5),
    "after-502:post:0.01": Fault("after", "post", rate=0.01, status=502),
    "reorder": Fault("reorder"),
    "reorder=9:history": Fault("reorder", "history", seconds=9.0),
}


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_is_a_fault(spec: str) -> None:
    """The text parses to this fault, which is written as the same text."""
    assert Faults.parse(spec).entries == (SPECS[spec],)
    assert str(Faults.parse(f" {spec} ")) == spec


@given(fault_plans())
def test_faults_survive_being_written(plan: Faults) -> None:
    """Faults are equal after a round trip through text and through JSON, in the same order."""
    assert Faults.parse(str(plan)) == plan
    assert Faults.from_json(json.loads(json.dumps([asdict(one) for one in plan]))) == plan
    assert tuple(plan) == plan.entries


def test_no_faults_are_an_empty_text() -> None:
    """The empty text means no faults."""
    assert Faults.parse("") == Faults.parse("  ") == Faults.parse("calm") == Faults()
    assert str(Faults()) == ""


def test_a_preset_stands_for_its_faults() -> None:
    """A preset expands anywhere in a list, also within another preset; none ends a chat."""
    storm = Faults.parse("storm")
    assert Faults.parse("restart:@50,lossy").entries[1:] == Faults.parse(PRESETS["lossy"]).entries
    assert set(Faults.parse("lossy")) < set(storm)
    assert {fault.kind for fault in storm} == set(KINDS)
    replies = [fault.error_reply(0) for fault in storm if fault.status is not None]
    errors = [error_in(reply, parse_reply(reply)[0], on_chat=True) for reply in replies]
    assert all(error is not None and error.transient for error in errors)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("drop:0.1", "no fault is called 'drop'; there are refuse, drop-request"),
        ("reset,,refuse", "cannot read the fault ''"),
        (
            "reset:polls",
            "requests must be any, open, poll, post, history, upload, other, not 'polls'",
        ),
        ("reset:1.5", "a rate must be above 0 and at most 1, not 1.5"),
        ("reset:0", "a rate must be above 0 and at most 1, not 0.0"),
        ("reset:poll:post", "'post': requests, a rate and a number may each be given once"),
        ("reset:0.1@3", "'0.1@3' must be one of any, open"),
        ("reset:poll@3:0.5", "a fault has a rate or a number, not both"),
        ("reset:@0", "the number of a request must be 1 or more, not 0"),
        ("reset:", "'' must be one of any"),
        ("reset@3", "a number must come after a colon: restart:@50"),
        ("reset=3", "reset takes no seconds"),
        ("delay", "delay needs seconds: delay=2"),
        ("delay=soon", "'soon' must be a decimal number"),
        ("delay=-1", "a delay needs 0 or more seconds, not -1.0"),
        ("delay=1.2.3", "'1.2.3' must be a decimal number"),
        ("duplicate:post", "a duplicate needs any, poll, history, other, not post"),
        ("200", "status must be from 400 to 599, not 200"),
        ("500/", "an error code must have 1 to 32 of A-Z a-z 0-9 . _ -, not ''"),
        ("500/a b", "an error code must have 1 to 32 of A-Z a-z 0-9 . _ -, not 'a b'"),
        ("after-429", "after- needs a status from 500 to 599 and a code other than 5001"),
        ("after-503/5001", "after- needs a status from 500 to 599"),
        ("status:poll", "write a status as its number: 503, or after-503"),
        ("after", "write a status as its number"),
        ("delay=1=2", "'1=2' must be a decimal number"),
        ("5000", "no fault is called '5000'"),
    ],
)
def test_an_invalid_spec_is_named(spec: str, why: str) -> None:
    """The error has the invalid part and the reason."""
    with pytest.raises(ValueError, match="cannot read the fault") as caught:
        Faults.parse(spec)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({}, "faults must be a list of objects"),
        (["reset"], "fault 1 must be an object with a kind"),
        ([{"kind": "reset"}, {"kind": "fire"}], "fault 2: no fault is called 'fire'"),
        ([{"kind": "reset", "when": 3}], "fault 1: unknown field 'when'; known are at, code, kind"),
        ([{"kind": "reset", "status": 500}], "fault 1: reset takes no status"),
        ([{"kind": "reset", "code": "5500"}], "fault 1: reset takes no error code"),
        ([{"kind": "reset", "rate": "often"}], "fault 1: a rate must be above 0"),
        ([{"kind": "reset", "at": True}], "fault 1: the number of a request must be 1 or more"),
        (
            [{"kind": "status", "status": "500"}],
            "fault 1: status must be from 400 to 599, not '500'",
        ),
        (
            [{"kind": "status", "status": 500, "code": 5500}],
            "fault 1: an error code must have 1 to 32",
        ),
        (
            [{"kind": "jump", "seconds": float("inf")}],
            "fault 1: a jump needs a number of seconds, not inf",
        ),
    ],
)
def test_invalid_json_is_named(value: Any, why: str) -> None:
    """The error has the number of the fault and the reason."""
    with pytest.raises(ValueError, match="fault") as caught:
        Faults.from_json(value)
    assert why in str(caught.value)
