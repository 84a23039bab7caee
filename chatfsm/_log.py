"""Logger: silent unless the app adds a handler; above DEBUG it names ids and kinds only."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["logger"]

logger: Final = logging.getLogger("chatfsm")
logger.addHandler(logging.NullHandler())
