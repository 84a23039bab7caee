"""`SimulatorServer`: a network over HTTP/1.1 on aiohttp, in a thread or in the caller's loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self, TypeVar

from attrs import define, field

from chatfsm._validators import count, seconds
from chatfsm.adapters._base import missing_library
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.network import Network

try:
    from aiohttp import web

    from chatfsm.simulator.server.connections import (
        HEADER_TIMEOUT,
        ConnectionServer,
        LimitedLog,
        connection_limit,
        error_logger,
    )
    from chatfsm.simulator.server.control import AGENT_SEAT, CONTROL, ControlDoor
    from chatfsm.simulator.server.handler import (
        LOST_AFTER,
        MAX_BODY,
        WEB_CHATS,
        NetworkPump,
        OwnHandler,
        RequestHandler,
    )
    from chatfsm.simulator.server.web_chat import WebChats
except ImportError:
    raise missing_library("aiohttp", extra="simulator") from None

from chatfsm.simulator.server.access import AccessRules
from chatfsm.simulator.server.request_journal import RequestJournal
from chatfsm.simulator.server.web_page import PageFiles

__all__ = ["SimulatorServer"]

_Result = TypeVar("_Result")

# Thousands of clients may connect at one moment; the system may allow fewer.
_BACKLOG: Final = 4096
# Seconds for which the rest of a refused body is read, so that its sender receives the reply.
_LINGER_SECONDS: Final = 2.0
# Seconds for the thread's start and end: far more than either takes.
_THREAD_TIMEOUT: Final = 10.0
# Seconds for open requests when the server closes.
_SHUTDOWN_TIMEOUT: Final = 1.0


@define(eq=False)
class SimulatorServer:
    """Serves a network over HTTP at `url`, in a thread of its own within a `with` block.

        with SimulatorServer(Network(center)) as server:
            print(server.url)

    `speed` is the number of seconds that pass for the center in one real second. `log` is called
    with a line for each request, under a flood for some of them. `control` opens the admin API that
    `control.py` describes, to programs on this machine. Pages on loopback may use the API, and
    those of `allow_origins`, "*" for all. Requests must name the server by an address, a name
    without a dot, a tenant's domain, or the host of an allowed origin. A server can be used once.
    Raises OSError if the port is taken, and at the end of the block an exception of the center.
    """

    network: Network
    """The network that is served, with its center and its faults."""
    host: str = "127.0.0.1"
    """The name or address to listen at."""
    port: int = 0
    """The port to listen at; 0: a free one, which `url` then names."""
    speed: float = 1.0
    """Seconds that pass for the center in one real second."""
    pages: PageFiles | None = None
    """The files of the web page; None: there is no page."""
    log: Callable[[str], object] | None = None
    """Called with a line for each request, without ids or content; None: nothing is logged."""
    control: bool = False
    """Whether the admin API is open to programs on this machine."""
    max_body: int = MAX_BODY
    """The most bytes of a request's body; a longer one is refused."""
    lost_after: float = LOST_AFTER
    """Seconds after which a lost reply becomes a reset."""
    allow_origins: tuple[str, ...] = field(default=(), converter=tuple[str, ...])
    """Origins whose pages may use the API beside those on loopback; "*": all."""
    max_connections: int = field(factory=connection_limit, validator=count)
    """The most connections at once; others are closed."""
    header_timeout: float = field(default=HEADER_TIMEOUT, validator=seconds(more_than=0))
    """Seconds for the headers of a request."""
    url: str = field(default="", init=False)
    """The scheme, host and port of the server; "" before the block begins."""
    pump: NetworkPump = field(init=False)
    """Runs the network in real time, in the thread of the server."""
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _stopping: asyncio.Event = field(factory=asyncio.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _started: threading.Event = field(factory=threading.Event, init=False)
    _error: BaseException | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.pump = NetworkPump(self.network, self.speed)
        if self.control and not isinstance(self.network.center, ContactCenter):
            kind = type(self.network.center).__name__
            raise TypeError(f"control needs a network with a ContactCenter, not {kind}")

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="chatfsm-simulator", daemon=True)
        self._thread.start()
        self._started.wait(_THREAD_TIMEOUT)
        if self._error is not None:
            self._thread.join(_THREAD_TIMEOUT)
            raise self._error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._running_loop().call_soon_threadsafe(self._stopping.set)
        if self._thread is not None:
            self._thread.join(_THREAD_TIMEOUT)
        if self._error is not None and kind is None:
            raise self._error  # an exception of the center

    def call_in_loop(self, work: Callable[[], _Result]) -> _Result:
        """Call `work` in the server's loop, between two requests, and return its result.

        Use the center in this way only, as in `server.call_in_loop(lambda:
        center.restart(now=server.now()))`.
        """
        loop = self._running_loop()

        async def run_work() -> _Result:
            try:
                return work()
            finally:
                self.pump.advance()

        return asyncio.run_coroutine_threadsafe(run_work(), loop).result(_THREAD_TIMEOUT)

    def now(self) -> float:
        """Return the center's time, as needed for `now`: seconds since its start."""
        return self.pump.now()

    async def serve(self, on_started: Callable[[], object] = lambda: None) -> None:
        """Serve in the running loop until `stop()`; `on_started` is called when `url` is known."""
        self._loop = asyncio.get_running_loop()
        log = None if self.log is None else LimitedLog(self.log)
        own_paths, closers = self._own_paths()
        handler = RequestHandler(
            self.pump,
            lambda: self.url,
            self.pages,
            own_paths,
            log,
            self.max_body,
            self.lost_after,
            self._access_rules(),
        )
        server = ConnectionServer(
            handler,
            limit=self.max_connections,
            header_timeout=self.header_timeout,
            log=log,
            handler_cancellation=True,
            access_log=None,
            logger=error_logger(log),
            lingering_time=_LINGER_SECONDS,
        )
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_TIMEOUT)
        pumping = asyncio.create_task(self.pump.run())
        try:
            await runner.setup()
            await web.TCPSite(runner, self.host, self.port, backlog=_BACKLOG).start()
            self.url = _url(self.host, runner.addresses[0][1])
            on_started()
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait((stopping, pumping), return_when=asyncio.FIRST_COMPLETED)
            if pumping.done():
                pumping.result()  # raises an exception of the center
        finally:
            pumping.cancel()
            for close in closers:
                close()
            self.pump.close()
            await runner.cleanup()
            if log is not None:
                log.close()
            self._loop = None

    def stop(self) -> None:
        """End `serve`; to be called in its loop."""
        self._stopping.set()

    def _own_paths(self) -> tuple[dict[str, OwnHandler], list[Callable[[], object]]]:
        """Return the handlers of the page and the control door, and the functions to close them."""
        handlers: dict[str, OwnHandler] = {}
        closers: list[Callable[[], object]] = []
        if self.pages is not None:
            chats = WebChats(self.pump, self.pages.tenant_url)
            handlers[WEB_CHATS] = chats.respond
            closers.append(chats.close)
        center = self.network.center
        if isinstance(center, ContactCenter) and (self.control or self.pages is not None):
            journal = RequestJournal()
            door = ControlDoor(self.pump, center, journal)
            closers.append(door.close)
            if self.pages is not None:
                handlers[AGENT_SEAT] = door.respond_to_seat
            if self.control:
                self.pump.journal = journal
                handlers[CONTROL] = door.respond
        return handlers, closers

    def _access_rules(self) -> AccessRules:
        center = getattr(self.network, "center", None)
        domains = set(center.tenants) if isinstance(center, ContactCenter) else set()
        return AccessRules(domains | {self.host}, self.allow_origins)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the server is not running: use it in its with block")
        return self._loop

    def _run(self) -> None:
        try:
            asyncio.run(self.serve(self._started.set))
        except BaseException as error:  # noqa: BLE001  # raised in the caller's thread
            self._error = error
        finally:
            self._started.set()


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
