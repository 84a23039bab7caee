"""Version of chatfsm: the one place of the number, which the package's metadata is made from."""

__all__ = ["__version__"]

__version__ = "0.2.0"
