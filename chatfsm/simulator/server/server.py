"""The simulator behind a socket: HTTP/1.1 on aiohttp, in the caller's loop or its own thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self, TypeVar

from attrs import define, field

from chatfsm.adapters._base import missing
from chatfsm.simulator.network import Network

try:
    from aiohttp import web

    from chatfsm.simulator.server.handler import LOST_AFTER, MAX_BODY, RequestHandler
except ImportError:
    raise missing("aiohttp", extra="simulator") from None

from chatfsm.simulator.server.handler import NetworkPump, PageFiles

__all__ = ["SimulatorServer"]

_Result = TypeVar("_Result")

# Thousands of clients may come in the same moment; the system takes less where it wants less.
_BACKLOG: Final = 4096
# Seconds that the rest of a body is read and thrown away, so that who sends it hears why.
_LINGER_SECONDS: Final = 2.0
# Seconds that the thread has for its begin and its end: far more than either takes.
_THREAD_TIMEOUT: Final = 10.0
# Seconds that a handler has for its last words when the face closes.
_SHUTDOWN_TIMEOUT: Final = 1.0


@define(eq=False)
class SimulatorServer:
    """Serves a network while its block lasts, in a thread of its own; `url` says where.

    `speed`: seconds of the center's to one second here. `told` is given a line about each
    request. A face serves once. Raises OSError where the port is taken, and in the end what broke
    the center, if anything did.
    """

    network: Network
    host: str = "127.0.0.1"
    port: int = 0
    speed: float = 1.0
    pages: PageFiles | None = None
    log: Callable[[str], object] | None = None
    max_body: int = MAX_BODY
    lost_after: float = LOST_AFTER
    url: str = field(default="", init=False)
    pump: NetworkPump = field(init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _stopping: asyncio.Event = field(factory=asyncio.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _started: threading.Event = field(factory=threading.Event, init=False)
    _error: BaseException | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.pump = NetworkPump(self.network, self.speed)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="chatfsm-face", daemon=True)
        self._thread.start()
        self._started.wait(_THREAD_TIMEOUT)
        if self._error is not None:
            self._thread.join(_THREAD_TIMEOUT)
            raise self._error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        with suppress(RuntimeError):  # the loop has ended by itself
            self._running_loop().call_soon_threadsafe(self._stopping.set)
        if self._thread is not None:
            self._thread.join(_THREAD_TIMEOUT)
        if self._error is not None and kind is None:
            raise self._error  # the center broke while it was served

    def call_in_loop(self, work: Callable[[], _Result]) -> _Result:
        """Have something done to the center between two requests, and wait for what it gives.

        The center is used by one thread alone; `work` may say `face.network.center.tell(…)`.
        """
        loop = self._running_loop()

        async def doing() -> _Result:
            try:
                return work()
            finally:
                self.pump.advance()

        return asyncio.run_coroutine_threadsafe(doing(), loop).result(_THREAD_TIMEOUT)

    def now(self) -> float:
        """Seconds of the center's since it began: `now` of all that is done to it."""
        return self.pump.now()

    async def serve(self, on_started: Callable[[], object] = lambda: None) -> None:
        """Serve in the loop that runs, until `stop()`; `begun` is called when `url` is known."""
        self._loop = asyncio.get_running_loop()
        answering = RequestHandler(
            *(self.pump, lambda: self.url, self.pages, self.log),
            *(self.max_body, self.lost_after),
        )
        server = web.Server(
            answering, handler_cancellation=True, access_log=None, lingering_time=_LINGER_SECONDS
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
                pumping.result()  # the center broke: say so
        finally:
            pumping.cancel()
            self.pump.close()
            await runner.cleanup()
            self._loop = None

    def stop(self) -> None:
        """End `serve`; called in its loop."""
        self._stopping.set()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the face does not serve: use it in its block")
        return self._loop

    def _run(self) -> None:
        try:
            asyncio.run(self.serve(self._started.set))
        except BaseException as error:  # noqa: BLE001  # raised in the thread that waits
            self._error = error
        finally:
            self._started.set()


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
