"""Kill loop: a chat whose process is killed repeatedly, at random times.

    python -m tests.drivers.kill_loop --kills 20 --seed 1

It prints how many messages of each side were lost, and how many reached the server twice; the exit
code is 1 if there were any. An agent's message may be received once more for each kill.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from attrs import frozen

from tests.drivers.center import GREETING, Server, texts_of
from tests.drivers.test_kill import received_in, started

__all__ = ["Outcome", "play"]


@frozen
class Outcome:
    """The counts of lost and doubled messages of both sides."""

    kills: int
    lost: int
    twice: int
    received_again: int


def play(kills: int, lines: int, seed: int, folder: Path) -> Outcome:
    """Run the chat of `killed_app` and kill it `kills` times, each time after a random delay."""
    dice = random.Random(seed)  # not for secrets
    with Server() as server:
        for _ in range(kills):
            app = started(server, folder, lines)
            if dice.random() < 0.3:  # also before the process has started completely
                time.sleep(dice.random() * 0.6)
            else:
                wanted = len(received_in(folder)) + dice.randint(1, 3)
                until = time.monotonic() + 30
                while len(received_in(folder)) < wanted:
                    assert time.monotonic() < until, "it receives nothing more"
                    time.sleep(0.001)
                time.sleep(dice.random() * 0.02)
            is_running = app.poll() is None
            app.kill()
            app.wait(10)
            assert is_running, "the process ended by itself: more lines are needed"
        assert started(server, folder, lines).wait(60) == 0
        [chat] = server.chats
        sent = Counter(texts_of(chat))
    expected = [f"line {number}" for number in range(lines)]
    received = Counter(received_in(folder))
    answers = {GREETING, *(f"You said: {text}" for text in expected)}
    return Outcome(
        kills,
        lost=len(set(expected) - set(sent)) + len(answers - set(received)),
        twice=sum(sent.values()) - len(sent),
        received_again=sum(received.values()) - len(received),
    )


def main() -> int:
    """Run the loop with the options of the command line, and return the exit code."""
    parser = argparse.ArgumentParser(description="Kill a chat's process again and again.")
    parser.add_argument("--kills", type=int, default=20, help="number of kills (default 20)")
    parser.add_argument("--lines", type=int, default=120, help="messages to send (default 120)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the moments (default 1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = play(options.kills, options.lines, options.seed, Path(folder))
    print(  # the output of a command
        f"kills {outcome.kills}, lost {outcome.lost}, twice {outcome.twice},"
        f" received again {outcome.received_again}"
    )
    return int(outcome.lost > 0 or outcome.twice > 0 or outcome.received_again > outcome.kills)


if __name__ == "__main__":
    raise SystemExit(main())
