"""Command `chatfsm simulate`: a simulated contact center, served until it is stopped."""

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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from attrs import define, field

from chatfsm._cli import ExitCode
from chatfsm._cli.terminal_text import harmless_text
from chatfsm._protocol import json_input
from chatfsm.errors import ChatError, DecodeError
from chatfsm.events import Malformed
from chatfsm.replay.formats import records
from chatfsm.replay.journal import JournalEntry, JournalHeader
from chatfsm.replay.sources import Source
from chatfsm.simulator.builtin_scenarios import (
    DEMO_APP_ID,
    SCENARIOS,
    TENANT_URL,
    build_tenant,
    builtin_agents,
)
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.faults import KINDS, PRESETS, Faults
from chatfsm.simulator.from_log import scenario_from_log
from chatfsm.simulator.network import Network
from chatfsm.simulator.scenario import Scenario, from_plain
from chatfsm.simulator.server.access import is_loopback
from chatfsm.simulator.server.web_page import PageFiles
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.tenants import Tenant

if TYPE_CHECKING:
    from chatfsm.simulator.server.server import SimulatorServer


__all__ = [
    "DEMO_APP_ID",
    "TENANT_URL",
    "EventRecorder",
    "build_pages",
    "build_tenant",
    "builtin_scenario",
    "center_settings",
    "load_scenario",
    "parse_faults",
    "run",
]

# Scenarios: built in, from a file, or from a recorded log.

# Bytes. A larger file is a log, which is not parsed as a whole.
_MAX_SCENARIO_SIZE: Final = 4 * 1024 * 1024

# Every JSON object of a log has one of these fields, and no scenario has.
_LOG_FIELDS: Final = frozenset({"event", "events", "sessions", "v", "log"})


def builtin_scenario(name: str) -> Scenario:
    """Return a built-in scenario. Raises `ChatError`, which lists the names, for another name."""
    if name not in SCENARIOS:
        raise ChatError(f"scenario must be one of {', '.join(SCENARIOS)}, not {name!r}")
    return SCENARIOS[name]


def load_scenario(path: str, chat_id: str | None = None) -> Scenario:
    """Load a scenario from a file of one, or make it from one chat of a recorded log.

    `chat_id`: the chat of a log with several. Raises `ChatError`, which names the file.
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


def _read_scenario(path: str) -> dict[str, Any] | None:
    """Return the JSON object in a file; None if the file is a log."""
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
            raise ChatError("a journal cannot be played: it records a client, not a server")
        if not isinstance(record.raw, dict) or isinstance(record.event, Malformed):
            continue  # a line without an event
        yield {"chat_id": record.chat_id, **record.raw} if record.chat_id else record.raw


# The log of all events.

_OWNER_ONLY: Final = 0o600


@define(eq=False)
class EventRecorder(AbstractContextManager["EventRecorder"]):
    """Writes events as JSON lines, which `chatfsm replay` reads, to a new file.

    Raises OSError if the file exists. After an error in writing it warns and writes nothing more:
    the contact center continues without it.
    """

    path: str
    warn: Callable[[str], object]
    wall_clock: Callable[[], float] | None = None
    """Returns the time in seconds since 1970, which is written as `received_at`; None: without."""
    _descriptor: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        # Not appended to: two runs with one seed give their chats the same ids.
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)

    def __call__(self, chat_id: str, event: Mapping[str, Any]) -> None:
        """Write an event of a chat."""
        if self._descriptor < 0:
            return
        # The id of the chat comes last and wins: an event may have such a field.
        about: dict[str, object] = {"chat_id": chat_id}
        if self.wall_clock is not None:
            about = {"received_at": round(self.wall_clock(), 3), **about}
        line = json.dumps({**event, **about}) + "\n"
        try:
            _write(self._descriptor, line.encode())
        except OSError as error:
            self.warn(f"{self.path}: {error.strerror}: recording stops here")
            self.close()

    def close(self) -> None:
        """Close the file; events after this are not written."""
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
    """Run the command and return its exit code. Raises `ChatError`."""
    if options.list:
        _print(*_list_lines())
        return ExitCode.SUCCESS
    try:
        from chatfsm.simulator.server.server import SimulatorServer  # noqa: PLC0415  # --list needs no aiohttp
    except ImportError as error:
        raise ChatError(str(error)) from None
    scenario = _scenario(options)
    agents = builtin_agents(options.agents, options.capacity)
    tenant = build_tenant(scenario, options.tenant, agents)
    faults = parse_faults(options.faults or "")
    with ExitStack() as stack:
        recorder = stack.enter_context(_open_recorder(options.record)) if options.record else None
        center = ContactCenter(
            [tenant], center_settings(options), seed=options.seed, on_event=recorder
        )
        if recorder is not None:
            recorder.wall_clock = lambda: center.wall_clock
        server = SimulatorServer(
            Network(center, faults, seed=options.seed),
            *(options.host, options.port, options.speed),
            pages=build_pages(tenant) if options.web else None,
            log=None if options.quiet else _log,
            control=options.control,
            allow_origins=options.allow_origin,
        )
        try:
            asyncio.run(
                _serve(server, lambda: _print(*_greeting_lines(server.url, scenario, options)))
            )
        except KeyboardInterrupt:
            return ExitCode.SUCCESS  # on Windows, which has no signal handlers in loops
        except OSError as error:
            if server.url:
                raise  # the server had started: this is an error of the output
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


def parse_faults(spec: str) -> Faults:
    """Return the faults of --faults. Raises `ChatError`, which names --list."""
    try:
        return Faults.parse(spec)
    except ValueError as error:
        raise ChatError(f"{error}; see chatfsm simulate --list") from None


def center_settings(options: Namespace) -> CenterSettings:
    """Return the settings that the options ask for, with the present day as the center's."""
    usual = CenterSettings()
    return CenterSettings(
        hold=options.hold or usual.hold,
        inactivity_timeout=options.inactivity or usual.inactivity_timeout,
        milliseconds=options.milliseconds,
        # Timestamps begin with the present day, as in real chats.
        started_at=float(int(time.time())),
    )


def _open_recorder(path: str) -> EventRecorder:
    try:
        return EventRecorder(path, _log)
    except OSError as error:
        raise ChatError(f"{path}: cannot be written: {error.strerror}") from None


def build_pages(tenant: Tenant) -> PageFiles:
    """Return the web page for chatting with the scenarios of a tenant."""
    scenarios = {entry.app_id: entry.scenario for entry in tenant.entries}
    titles = {app_id: one.title if one else "" for app_id, one in scenarios.items()}
    return PageFiles.for_apps(tenant.url, titles)


def _list_lines() -> Iterator[str]:
    """Yield the lines of --list."""
    yield "scenarios"
    for name, scenario in SCENARIOS.items():
        yield f"  {name:14}{scenario.title}"
    yield "faults, for --faults KIND:REQUESTS:RATE,…"
    for kind, meaning in KINDS.items():
        yield f"  {kind:14}{meaning}"
    yield "named sets of faults, for --faults NAME"
    for name, spec in PRESETS.items():
        yield f"  {name:14}{spec or 'none'}"


def _greeting_lines(url: str, scenario: Scenario, options: Namespace) -> Iterator[str]:
    """Yield the lines printed at the start: the addresses, and how to request a chat."""
    names = ", ".join(SCENARIOS)
    yield f"contact center  {url}"
    if options.web:
        yield f"web page        {url}/"
        yield f"agent's seat    {url}/agent"
    if options.control:
        yield f"control         {url}/__control/"
    yield f"tenant          {options.tenant}"
    yield f"app ids         {DEMO_APP_ID} (plays {scenario.name}), {names}"
    names_it = f"--tenant-url {options.tenant} --app-id {DEMO_APP_ID}"
    yield f"chat with it    chatfsm chat --url {url} --insecure-http {names_it}"
    yield "try it:"
    yield f"  curl -X POST '{url}/clientweb/api/v2/chats?tenantUrl={options.tenant}' \\"
    yield f'    -H \'Authorization: {_SCHEME} appId="{DEMO_APP_ID}", clientId="me"\' -d "{{}}"'
    if is_loopback(options.host):
        return
    yield f"warning: {options.host} is reachable from other machines, which can chat here too"


def _reason(error: OSError) -> str:
    """Return the reason that the system gives, without what libraries add."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error)
    return os.strerror(error.errno)


def _print(*lines: str) -> None:
    print("\n".join(map(harmless_text, lines)), flush=True)


def _log(line: str) -> None:
    with suppress(OSError, ValueError):  # standard error is closed
        print(time.strftime("%H:%M:%S"), harmless_text(line), file=sys.stderr, flush=True)
