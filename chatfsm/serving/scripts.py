"""What `chatfsm simulate` plays: a built-in scenario, a file of one, or a recorded log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from chatfsm.errors import ChatError, DecodeError
from chatfsm.protocol import json_text
from chatfsm.protocol.events import Malformed
from chatfsm.recording.entries import Entry, Opening
from chatfsm.recording.formats import records
from chatfsm.recording.source import Source
from chatfsm.simulator.builtin import AGENTS, FILE, SCENARIOS
from chatfsm.simulator.recorded import recorded
from chatfsm.simulator.scenario import Scenario, from_plain
from chatfsm.simulator.tenants import Entry as AppEntry
from chatfsm.simulator.tenants import Tenant

__all__ = ["DEMO", "TENANT_URL", "named", "played_from", "tenant_for"]

TENANT_URL: Final = "tenant.example"
DEMO: Final = "demo"
"""The app's id that plays what was asked for."""
# Bytes: a scenario is written by people; what is larger is a log, and not parsed as a whole.
_LARGEST_SCENARIO: Final = 4 * 1024 * 1024

# One of these stands in every object that a log may be made of.
_OF_LOGS: Final = frozenset({"event", "events", "sessions", "v"})


def named(name: str) -> Scenario:
    """The scenario that is built in under a name. Raises `ChatError`, naming those there are."""
    if name not in SCENARIOS:
        raise ChatError(f"no scenario is called {name!r}: there are {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def played_from(path: str, chat_id: str | None = None) -> Scenario:
    """What a file says to play: a scenario, or a recorded log of which one chat is said again.

    `chat_id`: which. Raises `ChatError`, naming the file.
    """
    plain = _scenario_in(path)
    try:
        if plain is not None:
            return from_plain(plain)
        stem = Source(path).stem
        return recorded(_events(path), chat_id, stem=stem, name=stem)
    except ChatError as error:
        why = str(error)
        raise ChatError(why if why.startswith(path) else f"{path}: {why}") from None


def tenant_for(demo: Scenario) -> Tenant:
    """A contact center whose entry `demo` plays a scenario; the built-in ones are there too."""
    entries = [AppEntry(app_id=DEMO, scenario=demo)]
    entries += [AppEntry(app_id=name, scenario=scenario) for name, scenario in SCENARIOS.items()]
    return Tenant(url=TENANT_URL, entries=tuple(entries), agents=AGENTS, files=(FILE,))


def _scenario_in(path: str) -> dict[str, Any] | None:
    """The object that a file holds, unless it is one that logs are made of."""
    try:
        file = Path(path)
        if file.stat().st_size > _LARGEST_SCENARIO:
            return None
        value = json_text.parse(file.read_bytes())
    except OSError as error:
        raise ChatError(f"{path}: cannot be read: {error.strerror}") from None
    except DecodeError:
        return None
    if not isinstance(value, dict) or not _OF_LOGS.isdisjoint(value):
        return None
    return value


def _events(path: str) -> Iterator[dict[str, Any]]:
    for record in records(Source(path)):
        if isinstance(record.event, Opening | Entry):
            raise ChatError("a journal is of a client's making: what plays is a log of events")
        if not isinstance(record.raw, dict) or isinstance(record.event, Malformed):
            continue  # what the log could not say is not said again
        yield {"chat_id": record.chat_id, **record.raw} if record.chat_id else record.raw
