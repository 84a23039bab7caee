"""The one logger: silent unless the app listens, and then ids and kinds only."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["logger"]

logger: Final = logging.getLogger("chatfsm")
logger.addHandler(logging.NullHandler())
