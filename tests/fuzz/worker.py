"""Worker: fuzzes one target under atheris, in a process of its own.

An error of a check is saved once for each place that raises it, and the fuzzing continues; a hang
or too much memory ends the process, and libFuzzer saves the input.
"""

from __future__ import annotations

import random
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Final

import atheris

with atheris.instrument_imports(include=["chatfsm"]):
    from tests.fuzz.targets import TARGETS

from chatfsm._protocol import codec
from tests.fuzz.mutation import mutate

for _name in codec.EVENTS:
    codec.fast_decode({"event": _name})  # generates the decoder of this event
for _decoder in codec._FAST_DECODERS.values():  # generated, so not imported
    atheris.instrument_func(_decoder)

_MAX_FOUND: Final = 50
# Every third input is mutated byte by byte.
_AS_BYTES: Final = 1 / 3
_SLOW: Final = 1.0
"""Processor seconds from which the slowest input is saved."""


class Run:
    """One run: its findings, and their folder."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.found: set[str] = set()
        self.slowest = _SLOW

    def check(self, data: bytes) -> None:
        """Run the check, and save its error."""
        began = time.process_time()
        try:
            TARGETS[self.name].check(data)
        except Exception as error:  # noqa: BLE001  # every error is a finding
            self._write(error, data)
        took = time.process_time() - began
        if took > self.slowest:
            self.slowest = took
            (self.folder / f"{self.name}-slow").write_bytes(data)
            (self.folder / f"{self.name}-slow.txt").write_text(f"{took:.2f} s\n", "utf-8")

    def _write(self, error: Exception, data: bytes) -> None:
        frames = [
            (frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)
        ]
        place = f"{type(error).__name__} {frames[-1]} {frames[1:2]}"
        if place in self.found or len(self.found) >= _MAX_FOUND:
            return
        self.found.add(place)
        path = self.folder / f"{self.name}-{len(self.found)}"
        path.write_bytes(data)
        report = "".join(traceback.format_exception(error))
        path.with_suffix(".txt").write_text(report, "utf-8", "backslashreplace")
        print(f"found: {self.name}: {type(error).__name__}, see {path}", file=sys.stderr)


def main() -> None:
    """Fuzz: `python -m tests.fuzz.worker TARGET FOLDER libFuzzer's arguments`."""
    name, folder, *options = sys.argv[1:]
    run = Run(name, Path(folder))

    def other(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < _AS_BYTES:
            changed: Any = atheris.Mutate(data, max_size)
            return bytes(changed)
        return mutate(data, max_size, rng)

    atheris.Setup([sys.argv[0], *options], run.check, custom_mutator=other)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
