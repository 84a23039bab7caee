"""Thousands of chats at once on this machine: `python -m tests.load --help`."""

from __future__ import annotations

import argparse

from tests.load import center, customers


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--chats", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the agents talk")
    parser.add_argument("--every", type=float, default=8.0, help="seconds between their messages")
    parser.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio")
    parser.add_argument("--sender", choices=("aiohttp", "httpx"), default="aiohttp")
    parser.add_argument("--center", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.center:
        center.serve(options.seconds, options.every)
    else:
        customers.run(options)


if __name__ == "__main__":
    main()
