"""Many chats in stores, their cost, and kills: `python -m tests.load.storage --help`.

    python -m tests.load.storage --rounds 3
    python -m tests.load.storage --kills 20 --chats 200 --every 1 --seconds 90
    python -m tests.load.storage --resume --chats 2000

The first compares the stores with none, in interleaved rounds. The second kills the process of all
customers (`kill -9`) at random moments, and starts it again; half of the times two processes are
started, which compete for the chats. The third kills it once. Each counts lost and doubled
messages.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from tests.load import stored
from tests.load.customers import ROOT, agents


def started(kind: str, url: str, path: Path, options: argparse.Namespace) -> subprocess.Popen[str]:
    """Start a process with all customers."""
    given = ["--chats", str(options.chats), "--rate", str(options.rate)]
    program = [sys.executable, "-m", "tests.load.storage", *given, "--play", kind, url, str(path)]
    return subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def compare(options: argparse.Namespace) -> None:
    """Print the cost of each store, compared with none."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in options.stores.split(",")}
    for number in range(options.rounds):
        for kind in Random(number).sample(list(found), len(found)):
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                with agents(options) as (url, ledger):
                    process = started(kind, url, Path(folder) / "chats.db", options)
                    assert process.stdout
                    *_, last = process.stdout.read().splitlines()
                    process.wait()
                costs = json.loads(last)
            good = ledger["chats whose lines came once each and in order"]
            costs["chats with lost or doubled lines"] = options.chats - good
            costs["lost or doubled lines"] = costs["lines"] - ledger["lines"]
            found[kind].append(costs)
            print(number, kind, json.dumps(costs), flush=True)
    base = median(one["cpu seconds"] for one in next(iter(found.values())))
    for kind, rounds in found.items():
        cpu = median(one["cpu seconds"] for one in rounds)
        syncs = median(one["commits or fsyncs"] / one["seconds"] for one in rounds)
        saves = median(one["saves"] / one["seconds"] for one in rounds)
        print(
            f"{kind:12} cpu {cpu:6.2f} s, ratio {cpu / base:.2f}, fsyncs {syncs:.1f} a second,"
            f" saves {saves:.1f} a second"
        )


def wait_for_chats(path: Path, number: int) -> None:
    """Wait until so many chats are in the database, and five seconds more."""
    found = 0
    while found < number:
        time.sleep(1.0)
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as database:
            [[found]] = database.execute("SELECT count(*) FROM chatfsm_chats")
    time.sleep(5.0)


def kill(options: argparse.Namespace, kills: int) -> bool:
    """Kill the process several times; print the numbers of lost and doubled messages."""
    rng = Random(options.seed)
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        agents(options) as (url, ledger),
    ):
        path, began = Path(folder) / "chats.db", time.monotonic()
        for number in range(kills):
            count = 1 if options.resume else 1 + number % 2
            processes = [started("transactions", url, path, options) for _ in range(count)]
            begun = time.monotonic()
            if options.resume:
                wait_for_chats(path, options.chats)
            else:
                time.sleep(rng.uniform(0.3, options.seconds / kills))
            pause = time.monotonic() - begun
            for process in processes:
                if process.poll() is not None and process.returncode:
                    print("ended by itself", process.returncode)
                process.kill()
                process.wait()
            print(f"kill {number + 1} after {pause:.2f} s, {count} processes", flush=True)
        process = started("transactions", url, path, options)
        assert process.stdout
        for line in process.stdout:
            print(f"{time.monotonic() - began:.1f} s", line.strip(), flush=True)
        process.wait()
        database = sqlite3.connect(path)
        [[lines]] = database.execute("SELECT count(*) FROM sent")
        received: dict[str, list[str]] = {}
        for key, text in database.execute("SELECT key, text FROM received"):
            received.setdefault(key, []).append(text)
        [[left]] = database.execute("SELECT count(*) FROM chatfsm_chats")
        database.close()
    lost = twice = 0
    for texts in received.values():
        last = next((text for text in texts if text.startswith("the last of")), "the last of 0")
        expected = {f"news {number}" for number in range(int(last.split()[-1]))} | {last}
        lost += len(expected - {*texts})
        twice += len(texts) - len({*texts})
    good = ledger["chats whose lines came once each and in order"]
    totals = {
        "chats": len(received),
        "messages received": sum(map(len, received.values())),
        "messages lost": lost,
        "messages received twice": twice,
        "lines sent": lines,
        "lines lost or doubled": lines - ledger["lines"],
        "chats with lost, doubled or disordered lines": ledger["chats"] - good,
        "records left in the store": left,
        "most polls of one chat at once": ledger["most polls of one chat at once"],
    }
    print(json.dumps(totals, indent=2))
    return not (lost or twice or lines - ledger["lines"] or ledger["chats"] - good)


def main() -> int:
    """Run the comparison or the kills, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.storage", description=__doc__)
    parser.add_argument("--chats", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the agents talk")
    parser.add_argument("--every", type=float, default=8.0, help="seconds between their messages")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--stores", default="none,folder,sqlite", help=", ".join(stored.KINDS))
    parser.add_argument("--rate", type=float, default=100.0, help="chats resumed per second")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="kill all chats once")
    parser.add_argument("--seed", type=int, default=1, help="seed of the moments of kills")
    parser.add_argument("--folder", type=Path, default=None, help="folder of the stores")
    parser.add_argument("--play", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        kind, url, path = options.play
        stored.play(kind, url, Path(path), options)
        return 0
    if options.kills or options.resume:
        return int(not kill(options, 1 if options.resume else options.kills))
    compare(options)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
