"""pytest plugin: a contact center to test a client with, and a judge of the client's requests.

    def test_my_client(chatfsm_url, chatfsm_judge):
        my_client.chat(chatfsm_url.url, chatfsm_url.tenant, chatfsm_url.app_id)

The test fails if the client breaks a rule of the judge, or sends no request. The fixtures, new for
each test:

- `chatfsm_center`: a `ContactCenter` with the built-in scenarios. Override it in a conftest.py for
  other scenarios or settings; the other fixtures use it.
- `chatfsm_world`: a `World` of that center, in virtual time.
- `chatfsm_url`: a `ServedCenter` of that center on a free port of the loopback, in a thread; it
  needs the extra `simulator`.
- `chatfsm_judge`: a `FixtureJudge` of all requests to either of them.

The marker `chatfsm_faults("lossy")` sets the faults of the network, and with `seed=7` their course.

The module imports pytest only. Everything else is imported when a fixture needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from chatfsm.simulator.center import ContactCenter
    from chatfsm.simulator.faults import Faults
    from chatfsm.simulator.world import World
    from chatfsm.testing.fixture_judge import FixtureJudge
    from chatfsm.testing.served import ServedCenter

__all__ = [
    "chatfsm_center",
    "chatfsm_judge",
    "chatfsm_url",
    "chatfsm_world",
    "pytest_configure",
    "pytest_runtest_call",
]

_MARKER: Final = "chatfsm_faults"
_JUDGE: Final = pytest.StashKey["FixtureJudge"]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    meaning = "the faults of chatfsm_world and chatfsm_url, such as 'lossy' or 'drop-reply:0.05'"
    config.addinivalue_line("markers", f"{_MARKER}(spec, *, seed=0): {meaning}")


@pytest.fixture
def chatfsm_center() -> ContactCenter:
    """Return a contact center whose app ids play the built-in scenarios, and "demo" plays echo."""
    from chatfsm.simulator.builtin_scenarios import SCENARIOS, build_tenant  # noqa: PLC0415
    from chatfsm.simulator.center import ContactCenter  # noqa: PLC0415

    return ContactCenter([build_tenant(SCENARIOS["echo"])])


@pytest.fixture
def chatfsm_world(request: pytest.FixtureRequest, chatfsm_center: ContactCenter) -> World:
    """Return a world of customers and `chatfsm_center`, in virtual time."""
    from chatfsm.simulator.world import World  # noqa: PLC0415

    faults, seed = _faults(request)
    world = World(chatfsm_center, faults=faults, seed=seed)
    if _is_judged(request):
        judge: FixtureJudge = request.getfixturevalue("chatfsm_judge")
        judge.attach(world.network)
    return world


@pytest.fixture
def chatfsm_url(
    request: pytest.FixtureRequest, chatfsm_center: ContactCenter
) -> Iterator[ServedCenter]:
    """Serve `chatfsm_center` on the loopback during the test."""
    if "chatfsm_world" in request.fixturenames:
        raise _failure("use chatfsm_world or chatfsm_url, not both: a center has one clock")
    from chatfsm.testing.served import ServedCenter  # noqa: PLC0415

    faults, seed = _faults(request)
    with ServedCenter(chatfsm_center, faults, seed=seed) as served:
        if _is_judged(request):
            judge: FixtureJudge = request.getfixturevalue("chatfsm_judge")
            judge.attach(served.network, served.server.call_in_loop)
        yield served


@pytest.fixture
def chatfsm_judge(request: pytest.FixtureRequest) -> FixtureJudge:
    """Return the judge of the requests to `chatfsm_world` or `chatfsm_url`.

    The test fails if a rule is broken, unless it asks for the verdict itself.
    """
    from chatfsm.testing.fixture_judge import FixtureJudge  # noqa: PLC0415

    judge = request.node.stash[_JUDGE] = FixtureJudge()
    return judge


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Let a test fail that has passed so far, but whose client has broken a rule."""
    judge = item.stash.get(_JUDGE, None)
    if judge is not None and (problem := judge.problem()):
        raise _failure(f"chatfsm_judge: {problem}")


def _faults(request: pytest.FixtureRequest) -> tuple[Faults, int]:
    marker = request.node.get_closest_marker(_MARKER)
    if marker is None:
        return _read_marker("")
    try:
        return _read_marker(*marker.args, **marker.kwargs)
    except (TypeError, ValueError) as error:
        problem = str(error).removeprefix("_read_marker() ")
    raise _failure(f"@pytest.mark.{_MARKER}: {problem}")


def _read_marker(spec: Faults | str, *, seed: int = 0) -> tuple[Faults, int]:
    from chatfsm.simulator.faults import Faults  # noqa: PLC0415

    return (Faults.parse(spec) if isinstance(spec, str) else spec), seed


def _failure(problem: str) -> BaseException:
    """Return a failure that pytest reports without the code of this plugin."""
    return pytest.fail.Exception(problem, pytrace=False)


def _is_judged(request: pytest.FixtureRequest) -> bool:
    return "chatfsm_judge" in request.fixturenames
