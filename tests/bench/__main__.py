"""How fast recorded lines become effects, next to parsing them: `python -m tests.bench`.

All is measured in one run, interleaved, as the median of several rounds, because machines are
noisy; what counts is the ratio.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from time import perf_counter

from chatfsm import ChatSession, decode

LOGS = Path(__file__).parent.parent / "logs"
ROUNDS = 15
REPEATS = 20


def recorded_chats() -> dict[str, list[bytes]]:
    """The lines of every recorded session that is one event a line, by name."""
    skipped = {"unknown_events", "hostile", "polls", "two_chats"}
    return {
        path.stem: [as_said(line) for line in path.read_bytes().splitlines()]
        for path in sorted(LOGS.glob("*.jsonl"))
        if path.stem not in skipped
    }


def as_said(line: bytes) -> bytes:
    """A recorded line as the server said it, without the chat's id that the log adds."""
    item = json.loads(line)
    item.pop("chat_id", None)
    return json.dumps(item, separators=(",", ":")).encode()


def parse(chats: dict[str, list[bytes]]) -> None:
    """The limit: json.loads alone, line by line."""
    for lines in chats.values():
        for line in lines:
            json.loads(line)


def decoded(chats: dict[str, list[bytes]]) -> None:
    """Lines to typed events."""
    for lines in chats.values():
        for line in lines:
            decode(line)


def heard(chats: dict[str, list[bytes]]) -> None:
    """Lines to effects: decode, then receive."""
    for name, lines in chats.items():
        session = ChatSession(name)
        for number, line in enumerate(lines):
            for event in decode(line):
                session.receive(event, now=float(number))


def main() -> None:
    """Measure, and print a table."""
    chats = recorded_chats()
    events = sum(len(lines) for lines in chats.values()) * REPEATS
    works = {"json.loads alone": parse, "decode": decoded, "decode + receive": heard}
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = perf_counter()
            for _ in range(REPEATS):
                work(chats)
            times[name].append(perf_counter() - start)
    limit = median(times["json.loads alone"])
    print(f"{len(chats)} chats, {events // REPEATS} lines, medians of {ROUNDS} rounds")
    for name, rounds in times.items():
        took = median(rounds)
        each = took / events * 1e6
        rate, ratio = events / took, took / limit
        print(
            f"{name:18} {each:6.2f} µs a line {rate:10,.0f} a second {ratio:6.2f} times the limit"
        )


if __name__ == "__main__":
    main()
