"""Work beside the main thread, and the one place where a failure becomes a reason."""

from __future__ import annotations

import os
import threading
import time
import traceback
from typing import Callable, Dict, Generic, Optional, TypeVar

from .limits import UnavailableError

T = TypeVar("T")


class Attempt(Generic[T]):
    """Something that may fail without the rest: its value, or the reason in ``missing``."""

    def __init__(
        self, source: str, work: Callable[[], T], missing: Dict[str, str], thread: bool
    ) -> None:
        self._source = source
        self._work = work
        self._missing = missing
        self._value: Optional[T] = None
        self._thread: Optional[threading.Thread] = None
        if thread:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        else:
            self._run()

    def value(self, deadline: float) -> Optional[T]:
        """The result; None after a failure or at the ``deadline`` (time.monotonic())."""
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
            if self._thread.is_alive():
                self._missing[self._source] = "%s: not finished in time" % self._source
                return None
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._work()
        except UnavailableError as error:
            self._missing[self._source] = str(error)
        except Exception as error:  # one source must never cost the others
            self._missing[self._source] = "%s: %s" % (self._source, unexpected(error))


def start(source: str, work: Callable[[], T], missing: Dict[str, str]) -> Attempt[T]:
    """Begin in a thread of its own."""
    return Attempt(source, work, missing, thread=True)


def now(source: str, work: Callable[[], T], missing: Dict[str, str]) -> Optional[T]:
    """Do it here: the value, or None and a reason."""
    return Attempt(source, work, missing, thread=False).value(0.0)


def unexpected(error: BaseException) -> str:
    """An error nobody foresaw, with its place, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = "%s:%s" % (os.path.basename(frames[-1].filename), frames[-1].lineno) if frames else "?"
    return "unexpected %s at %s: %s" % (type(error).__name__, place, str(error)[:200])
