"""`chatfsm simulate`: a contact center as the command line asks for it, until told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from chatfsm.errors import ChatError
from chatfsm.serving import scripts
from chatfsm.serving.pages import Pages
from chatfsm.serving.recording import Writing
from chatfsm.simulator.builtin import SCENARIOS
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.faults import KINDS, PRESETS, Faults
from chatfsm.simulator.network import Network
from chatfsm.simulator.scenario import Scenario
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.tenants import Tenant

if TYPE_CHECKING:
    from chatfsm.serving.face import Face

__all__ = ["pages_of", "run"]

STOPPED: Final = 0
_SCHEME: Final = "MOBILE-API-140-327-PLAIN"
_USUAL: Final = "echo"


def run(options: Namespace) -> int:
    """Serve as the command line says; returns the exit status. Raises `ChatError`."""
    if options.list:
        _say(*_listed())
        return STOPPED
    try:
        from chatfsm.serving.face import Face  # noqa: PLC0415  # the list needs no aiohttp
    except ImportError as error:
        raise ChatError(str(error)) from None
    scenario = _scenario(options)
    tenant = scripts.tenant_for(scenario)
    faults = _faults(options.faults or "")
    with ExitStack() as stack:
        writing = stack.enter_context(_writing(options.record)) if options.record else None
        center = ContactCenter([tenant], _settings(options), seed=options.seed, on_event=writing)
        face = Face(
            Network(center, faults, seed=options.seed),
            *(options.host, options.port, options.speed),
            pages=pages_of(tenant) if options.web else None,
            told=None if options.quiet else _log,
        )
        try:
            asyncio.run(_serve(face, lambda: _say(*_greeting(face.url, scenario, options))))
        except KeyboardInterrupt:
            return STOPPED  # where signals cannot be waited for
        except OSError as error:
            if face.url:
                raise  # it was served: something else cannot be written
            why = _why(error)
            raise ChatError(f"cannot listen on {options.host}:{options.port}: {why}") from None
    return STOPPED


async def _serve(face: Face, begun: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, face.stop)
    await face.serve(begun)


def _scenario(options: Namespace) -> Scenario:
    if options.script is None:
        return scripts.named(options.scenario or _USUAL)
    return scripts.played_from(options.script, options.chat_id)


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


def _writing(path: str) -> Writing:
    try:
        return Writing(path, _log)
    except OSError as error:
        raise ChatError(f"{path}: cannot be written: {error.strerror}") from None


def pages_of(tenant: Tenant) -> Pages:
    """The web page for chatting with a tenant's scenarios."""
    scenarios = {entry.app_id: entry.scenario for entry in tenant.entries}
    titles = {app_id: one.title if one else "" for app_id, one in scenarios.items()}
    return Pages.about(tenant.url, titles)


def _listed() -> Iterator[str]:
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


def _greeting(url: str, scenario: Scenario, options: Namespace) -> Iterator[str]:
    """Where it is, and how to ask it for a chat."""
    others = ", ".join(SCENARIOS)
    yield f"contact center  {url}"
    if options.web:
        yield f"web page        {url}/"
    yield f"tenant          {scripts.TENANT_URL}"
    yield f"app ids         {scripts.DEMO} (plays {scenario.name}), {others}"
    yield "try it:"
    yield f"  curl -X POST '{url}/clientweb/api/v2/chats?tenantUrl={scripts.TENANT_URL}' \\"
    yield f'    -H \'Authorization: {_SCHEME} appId="{scripts.DEMO}", clientId="me"\' -d "{{}}"'
    if options.host == "localhost" or _is_loopback(options.host):
        return
    yield f"warning: whoever reaches this machine can chat here: it listens to {options.host}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _why(error: OSError) -> str:
    """What the system says, without what libraries put around it."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error)
    return os.strerror(error.errno)


def _say(*lines: str) -> None:
    print("\n".join(lines), flush=True)


def _log(line: str) -> None:
    with suppress(OSError, ValueError):  # nobody reads it: no reason to stop
        print(time.strftime("%H:%M:%S"), line, file=sys.stderr, flush=True)
