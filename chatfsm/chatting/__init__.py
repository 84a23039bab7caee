"""A chat in a terminal: `chatfsm chat`."""
