"""The words that each command takes, a module a command; `cli.py` puts them together."""
