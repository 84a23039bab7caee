"""One chat that goes wrong in every usual way, on this machine alone: chatfsm beside a loop."""
