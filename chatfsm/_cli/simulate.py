"""`chatfsm simulate`: a contact center as the command line asks for it, until told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from attrs import define, field

from chatfsm._cli import ExitCode
from chatfsm._protocol import json_input
from chatfsm.errors import ChatError, DecodeError
from chatfsm.events import Malformed
from chatfsm.replay.formats import records
from chatfsm.replay.journal import JournalEntry, JournalHeader
from chatfsm.replay.sources import Source
from chatfsm.simulator.builtin_scenarios import AGENTS, FILE, SCENARIOS
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.faults import KINDS, PRESETS, Faults
from chatfsm.simulator.from_log import scenario_from_log
from chatfsm.simulator.network import Network
from chatfsm.simulator.scenario import Scenario, from_plain
from chatfsm.simulator.server.handler import PageFiles
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.tenants import AppEntry, Tenant

if TYPE_CHECKING:
    from chatfsm.simulator.server.server import SimulatorServer


__all__ = [
    "DEMO_APP_ID",
    "TENANT_URL",
    "EventRecorder",
    "build_pages",
    "build_tenant",
    "builtin_scenario",
    "load_scenario",
    "run",
]

# What `chatfsm simulate` plays: a built-in scenario, a file of one, or a recorded log.

TENANT_URL: Final = "tenant.example"
DEMO_APP_ID: Final = "demo"
"""The app's id that plays what was asked for."""
# Bytes: a scenario is written by people; what is larger is a log, and not parsed as a whole.
_MAX_SCENARIO_SIZE: Final = 4 * 1024 * 1024

# One of these stands in every object that a log may be made of.
_LOG_FIELDS: Final = frozenset({"event", "events", "sessions", "v"})


def builtin_scenario(name: str) -> Scenario:
    """The scenario that is built in under a name. Raises `ChatError`, naming those there are."""
    if name not in SCENARIOS:
        raise ChatError(f"no scenario is called {name!r}: there are {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def load_scenario(path: str, chat_id: str | None = None) -> Scenario:
    """What a file says to play: a scenario, or a recorded log of which one chat is said again.

    `chat_id`: which. Raises `ChatError`, naming the file.
    """
    plain = _read_scenario(path)
    try:
        if plain is not None:
            return from_plain(plain)
        stem = Source(path).stem
        return scenario_from_log(_log_events(path), chat_id, default_chat_id=stem, name=stem)
    except ChatError as error:
        why = str(error)
        raise ChatError(why if why.startswith(path) else f"{path}: {why}") from None


def build_tenant(demo: Scenario) -> Tenant:
    """A contact center whose entry `demo` plays a scenario; the built-in ones are there too."""
    entries = [AppEntry(app_id=DEMO_APP_ID, scenario=demo)]
    entries += [AppEntry(app_id=name, scenario=scenario) for name, scenario in SCENARIOS.items()]
    return Tenant(url=TENANT_URL, entries=tuple(entries), agents=AGENTS, files=(FILE,))


def _read_scenario(path: str) -> dict[str, Any] | None:
    """The object that a file holds, unless it is one that logs are made of."""
    try:
        file = Path(path)
        if file.stat().st_size > _MAX_SCENARIO_SIZE:
            return None
        value = json_input.parse(file.read_bytes())
    except OSError as error:
        raise ChatError(f"{path}: cannot be read: {error.strerror}") from None
    except DecodeError:
        return None
    if not isinstance(value, dict) or not _LOG_FIELDS.isdisjoint(value):
        return None
    return value


def _log_events(path: str) -> Iterator[dict[str, Any]]:
    for record in records(Source(path)):
        if isinstance(record.event, JournalHeader | JournalEntry):
            raise ChatError("a journal is of a client's making: what plays is a log of events")
        if not isinstance(record.raw, dict) or isinstance(record.event, Malformed):
            continue  # what the log could not say is not said again
        yield {"chat_id": record.chat_id, **record.raw} if record.chat_id else record.raw


# What happens in the chats of a center, as lines that `chatfsm replay` reads.

_OWNER_ONLY: Final = 0o600


@define(eq=False)
class EventRecorder(AbstractContextManager["EventRecorder"]):
    """Writes a line an event to a file that was not there before; OSError where it was.

    What cannot be written is told once, and nothing is written after it: a center goes on.
    """

    path: str
    warn: Callable[[str], object]
    _descriptor: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        # Two runs with one seed give their chats the same ids, so they do not go into one file.
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)

    def __call__(self, chat_id: str, event: Mapping[str, Any]) -> None:
        """Write an event of a chat."""
        if self._descriptor < 0:
            return
        # The chat that it is of comes last: an event may hold a field of this name.
        line = json.dumps({**event, "chat_id": chat_id}) + "\n"
        try:
            _write(self._descriptor, line.encode())
        except OSError as error:
            self.warn(f"{self.path}: {error.strerror}: nothing more is recorded")
            self.close()

    def close(self) -> None:
        """Nothing more is written."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


_SCHEME: Final = "MOBILE-API-140-327-PLAIN"
_DEFAULT_SCENARIO: Final = "echo"


def run(options: Namespace) -> int:
    """Serve as the command line says; returns the exit status. Raises `ChatError`."""
    if options.list:
        _print(*_list_lines())
        return ExitCode.SUCCESS
    try:
        from chatfsm.simulator.server.server import SimulatorServer  # noqa: PLC0415  # the list needs no aiohttp
    except ImportError as error:
        raise ChatError(str(error)) from None
    scenario = _scenario(options)
    tenant = build_tenant(scenario)
    faults = _faults(options.faults or "")
    with ExitStack() as stack:
        writing = stack.enter_context(_open_recorder(options.record)) if options.record else None
        center = ContactCenter([tenant], _settings(options), seed=options.seed, on_event=writing)
        server = SimulatorServer(
            Network(center, faults, seed=options.seed),
            *(options.host, options.port, options.speed),
            pages=build_pages(tenant) if options.web else None,
            log=None if options.quiet else _log,
        )
        try:
            asyncio.run(
                _serve(server, lambda: _print(*_greeting_lines(server.url, scenario, options)))
            )
        except KeyboardInterrupt:
            return ExitCode.SUCCESS  # where signals cannot be waited for
        except OSError as error:
            if server.url:
                raise  # it was served: something else cannot be written
            why = _reason(error)
            raise ChatError(f"cannot listen on {options.host}:{options.port}: {why}") from None
    return ExitCode.SUCCESS


async def _serve(server: SimulatorServer, on_start: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, server.stop)
    await server.serve(on_start)


def _scenario(options: Namespace) -> Scenario:
    if options.script is None:
        return builtin_scenario(options.scenario or _DEFAULT_SCENARIO)
    return load_scenario(options.script, options.chat_id)


def _faults(spec: str) -> Faults:
    try:
        return Faults.parse(spec)
    except ValueError as error:
        raise ChatError(f"{error}; see --list") from None


def _settings(options: Namespace) -> CenterSettings:
    usual = CenterSettings()
    return CenterSettings(
        hold=options.hold or usual.hold,
        inactivity_timeout=options.inactivity or usual.inactivity_timeout,
        milliseconds=options.milliseconds,
        # Of today, so that what is stamped looks right to people.
        started_at=float(int(time.time())),
    )


def _open_recorder(path: str) -> EventRecorder:
    try:
        return EventRecorder(path, _log)
    except OSError as error:
        raise ChatError(f"{path}: cannot be written: {error.strerror}") from None


def build_pages(tenant: Tenant) -> PageFiles:
    """The web page for chatting with a tenant's scenarios."""
    scenarios = {entry.app_id: entry.scenario for entry in tenant.entries}
    titles = {app_id: one.title if one else "" for app_id, one in scenarios.items()}
    return PageFiles.for_apps(tenant.url, titles)


def _list_lines() -> Iterator[str]:
    """All that may be asked for by name."""
    yield "scenarios"
    for name, scenario in SCENARIOS.items():
        yield f"  {name:14}{scenario.title}"
    yield "faults, as --faults KIND:REQUESTS:RATE,…"
    for kind, meaning in KINDS.items():
        yield f"  {kind:14}{meaning}"
    yield "faults by name"
    for name, spec in PRESETS.items():
        yield f"  {name:14}{spec or 'none'}"


def _greeting_lines(url: str, scenario: Scenario, options: Namespace) -> Iterator[str]:
    """Where it is, and how to ask it for a chat."""
    others = ", ".join(SCENARIOS)
    yield f"contact center  {url}"
    if options.web:
        yield f"web page        {url}/"
    yield f"tenant          {TENANT_URL}"
    yield f"app ids         {DEMO_APP_ID} (plays {scenario.name}), {others}"
    yield "try it:"
    yield f"  curl -X POST '{url}/clientweb/api/v2/chats?tenantUrl={TENANT_URL}' \\"
    yield f'    -H \'Authorization: {_SCHEME} appId="{DEMO_APP_ID}", clientId="me"\' -d "{{}}"'
    if options.host == "localhost" or _is_loopback(options.host):
        return
    yield f"warning: whoever reaches this machine can chat here: it listens to {options.host}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(error: OSError) -> str:
    """What the system says, without what libraries put around it."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error)
    return os.strerror(error.errno)


def _print(*lines: str) -> None:
    print("\n".join(lines), flush=True)


def _log(line: str) -> None:
    with suppress(OSError, ValueError):  # nobody reads it: no reason to stop
        print(time.strftime("%H:%M:%S"), line, file=sys.stderr, flush=True)
