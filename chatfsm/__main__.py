"""Entry point of `python -m chatfsm`: the command `chatfsm`."""

import sys

from chatfsm._cli import main

if __name__ == "__main__":
    sys.exit(main())
