"""Machines as cases of a conformance kit: run, and described by the shortest steps to a failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import attrs

from chatfsm._protocol.codec import decode
from chatfsm._validators import count
from chatfsm.adapters._base import missing_library
from chatfsm.effects import Anomaly, UnknownReceived
from chatfsm.inputs import Tick
from chatfsm.testing.invariants import SessionChecker, require

try:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from hypothesis.errors import HypothesisException
    from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
except ImportError:
    raise missing_library("hypothesis", extra="testing") from None

from chatfsm.testing.machines import ClientMachine, OpeningMachine, SessionMachine
from chatfsm.testing.strategies import Poll, server_sessions

__all__ = ["Runs", "client_problems", "session_problems"]

Restore = Callable[[dict[str, Any], float], Any] | None

_CALL: Final = re.compile(r" *state\.(\w+)\(\)")
"""A step without arguments, which Hypothesis also prints for the invariants after each step."""
_CHECKS: Final = {
    *("parties_are_in_order", "twins_remember_the_same", "typing_ends_in_time"),
    *("own_messages_are_accounted_for", "teardown"),
}
# Whether a case is slow or large is no matter of the session or the client.
_UNCHECKED: Final = (
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,
    HealthCheck.too_slow,
)
_INDENT: Final = "\n    "


@attrs.frozen
class Runs:
    """Number, length and seed of the cases to run."""

    examples: int = attrs.field(validator=count)
    steps: int = attrs.field(validator=count)
    seed: int | None

    @property
    def settings(self) -> settings:
        """The settings of Hypothesis; nothing is kept on disk, and nothing is timed."""
        return settings(
            max_examples=self.examples,
            stateful_step_count=max(2, self.steps),
            derandomize=self.seed is None,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=_UNCHECKED,
        )


def session_problems(
    make_session: Callable[[], Any], restore: Restore, runs: Runs
) -> dict[str, str]:
    """Run the cases of a session; return the problem of each by its name, "" if there is none."""

    class CheckedSession(SessionMachine):
        def make_session(self) -> Any:
            return make_session()

        def restore_session(self, snapshot: dict[str, Any], *, now: float) -> Any:
            if restore is None:
                return super().restore_session(snapshot, now=now)
            return restore(snapshot, now)

    @given(server_sessions(max_size=runs.steps, repeats=True))
    def play(polls: list[Poll]) -> None:
        _play(make_session(), polls)

    return {
        "any inputs": _machine_problem(CheckedSession, runs),
        "sessions of a server": _problem(_with_seed(runs.settings(play), runs)),
    }


def client_problems(make_client: Callable[[], Any], restore: Restore, runs: Runs) -> dict[str, str]:
    """Run the cases of a client; return the problem of each by its name, "" if there is none."""

    class CheckedOpening(OpeningMachine):
        def make_client(self) -> Any:
            return make_client()

        def restore_client(self, snapshot: dict[str, Any], now: float) -> Any:
            if restore is None:
                return super().restore_client(snapshot, now)
            return restore(snapshot, now)

    class CheckedClient(ClientMachine):
        def make_client(self) -> Any:
            return make_client()

        def restore_client(self, snapshot: dict[str, Any], now: float) -> Any:
            if restore is None:
                return super().restore_client(snapshot, now)
            return restore(snapshot, now)

    return {
        "opening": _machine_problem(CheckedOpening, runs),
        "chat": _machine_problem(CheckedClient, runs),
    }


def _play(session: Any, polls: list[Poll]) -> None:
    """Play a session of a server, in which no effect may blame the server."""
    now, checker = 0.0, SessionChecker()
    for pause, items in polls:
        now += pause
        if session.deadline is not None and session.deadline <= now:
            checker.check(session.receive(Tick(), now=now), session, now=now)
        for event in decode(items):
            told = session.receive(event, now=now)
            checker.check(told, session, now=now)
            blames = [each for each in told if _is_blame(each)]
            require(not blames, f"a server without mistakes is blamed: {blames}")


def _is_blame(effect: object) -> bool:
    """Whether an effect says that the server has made a mistake; a full session is none."""
    is_anomaly = isinstance(effect, Anomaly) and not effect.kind.startswith("too_many")
    return is_anomaly or isinstance(effect, UnknownReceived)


def _machine_problem(machine: type[RuleBasedStateMachine], runs: Runs) -> str:
    def run() -> None:
        run_state_machine_as_test(_with_seed(machine, runs), settings=runs.settings)

    lines = _problem(run).splitlines()
    return "\n".join(line for line in lines if _CALL.sub(r"\1", line) not in _CHECKS)


def _with_seed(test: Any, runs: Runs) -> Any:
    return test if runs.seed is None else seeded(runs.seed)(test)


def _problem(run: Callable[[], object]) -> str:
    """Return the error of a run and the steps to it; "" if there is none."""
    try:
        run()
    except HypothesisException as error:
        return _describe(error)
    except Exception as error:  # noqa: BLE001  # whatever the session or the client raises
        return _describe(error)
    return ""


def _describe(error: Exception) -> str:
    text = "\n".join((f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())))
    return _INDENT.join(text.splitlines())
