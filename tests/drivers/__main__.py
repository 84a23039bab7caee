"""The loopback contact center by itself: `python -m tests.drivers`, until interrupted."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from tests.drivers.server import Server


async def serve() -> None:
    server = Server(hold=5.0)
    await server.serve(lambda: print(server.url, flush=True), int(*sys.argv[1:] or ["0"]))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve())
