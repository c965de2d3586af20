"""The ``tweetclf`` command: one module a command, no logic of its own."""

from tweetclf.cli._main import main

__all__ = ["main"]
