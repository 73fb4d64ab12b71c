"""What the program prints, told as messages: with `--json` standard output is a stream of events and nothing else."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Generator
from typing import Protocol


class Listener(Protocol):
    """Who tells the user."""

    def printed(self, text: str, *, error: bool) -> None:
        """A line that the program printed."""
        ...


class _Lines(io.TextIOBase):
    """Hands on whole lines."""

    def __init__(self, listener: Listener, *, error: bool) -> None:
        super().__init__()
        self._listener = listener
        self._error = error
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._listener.printed(line, error=self._error)
        return len(text)

    def end(self) -> None:
        """What was printed without an end of line."""
        if self._rest:
            self._listener.printed(self._rest, error=self._error)
            self._rest = ""


@contextlib.contextmanager
def told_output(listener: Listener) -> Generator[None]:
    """For the time of one program. As with the CLI, standard output is `info` and standard error `info#err`."""
    out, err = _Lines(listener, error=False), _Lines(listener, error=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            yield
        finally:
            out.end()
            err.end()
