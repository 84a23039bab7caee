"""How commands end, in numbers that shells know."""

from __future__ import annotations

from typing import Final

__all__ = ["INTERRUPTED"]

INTERRUPTED: Final = 130
"""By Ctrl-C: 128 and the number of SIGINT."""
