"""A real Chromium without a window, driven over a pipe: no port, no driver, no library.

The DevTools protocol, one JSON text after another, each ended by a zero byte
(``--remote-debugging-pipe``). The browser reaches the hosts it is told of and nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_FLAGS = (
    *("--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-default-apps", "--disable-extensions", "--disable-gpu", "--mute-audio"),
    *("--disable-dev-shm-usage", "--disable-crash-reporter", "--password-store=basic"),
    "--disable-features=Translate,OptimizationHints,MediaRouter,HttpsUpgrades,"
    # Where a host is reached through a door on loopback, it is no less the host.
    "LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
)
_START_SECONDS = 30.0


class BrowserError(Exception):
    """The browser could not be started or did not do what it was told; the message says what."""


def find() -> str | None:
    """The path of a Chromium on this machine, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Chromium:
    """One running browser. Raises `BrowserError`; `close` ends it and removes its profile.

    ``hosts`` maps "name[:port]" as pages write it to where to connect, "address:port"; names
    that are neither among them nor in ``direct`` do not resolve. No proxy of the environment is
    used. ``trust`` takes certificates that nobody vouches for, ``trusted_key`` one more key
    (base64 of the SHA-256 of its SubjectPublicKeyInfo).
    """

    def __init__(
        self,
        *,
        hosts: Mapping[str, str] | None = None,
        direct: Sequence[str] = ("127.0.0.1", "localhost", "[::1]"),
        trust: bool = False,
        trusted_key: str | None = None,
        path: str | None = None,
    ) -> None:
        program = path or find()
        if program is None:
            raise BrowserError(f"no browser: none of {', '.join(NAMES)} is installed")
        self._profile = tempfile.mkdtemp(prefix="ssemedic-browser-")
        rules = [f"MAP {name} {to}" for name, to in (hosts or {}).items()]
        rules += ["MAP * ~NOTFOUND", *(f"EXCLUDE {name}" for name in direct)]
        flags = [*_FLAGS, "--no-proxy-server", f"--user-data-dir={self._profile}"]
        flags.append(f"--host-resolver-rules={', '.join(rules)}")
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # the sandbox cannot be had as root
        if trust:
            flags.append("--ignore-certificate-errors")
        if trusted_key:
            flags.append(f"--ignore-certificate-errors-spki-list={trusted_key}")
        self._events: list[dict[str, Any]] = []
        self._number = 0
        self._pending = b""
        self._pid, self._to, self._from = _spawn(program, flags, self._profile)
        try:
            self.call("Browser.getVersion", wait=_START_SECONDS)
        except BrowserError:
            self.close()
            raise

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def version(self) -> str:
        """As it calls itself, such as "Chrome/131.0.6778.139"."""
        return str(self.call("Browser.getVersion")["product"])

    def call(
        self, method: str, session: str | None = None, wait: float = 20.0, **params: Any
    ) -> dict[str, Any]:
        """One command of the protocol; its result. ``wait`` is in seconds."""
        number = self.send(method, session, **params)
        until = time.monotonic() + wait
        while True:
            answer = self._read(until)
            if answer is None:
                raise BrowserError(f"{method}: no answer within {wait:g} s")
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error'].get('message')}")
                result: dict[str, Any] = answer["result"]
                return result
            if "method" in answer and len(self._events) < 5000:
                self._events.append(answer)

    def send(self, method: str, session: str | None = None, **params: Any) -> int:
        """Give a command without waiting for its result; its number."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        try:
            while data:
                data = data[os.write(self._to, data) :]
        except OSError as error:
            raise BrowserError(f"the browser is gone ({error.strerror})") from error
        return self._number

    def listen(self, until: float) -> Iterator[dict[str, Any]]:
        """What the browser tells unasked, as it comes, until a moment of the monotonic clock."""
        yield from self.events()
        while (told := self._read(until)) is not None:
            if "method" in told:
                yield told

    def _read(self, until: float) -> dict[str, Any] | None:
        while b"\0" not in self._pending:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                return None
            data = os.read(self._from, 1 << 20)
            if not data:
                raise BrowserError("the browser ended")
            self._pending += data
        text, _zero, self._pending = self._pending.partition(b"\0")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def events(self) -> list[dict[str, Any]]:
        """What the browser told unasked since the last time."""
        found, self._events = self._events, []
        return found

    @contextlib.contextmanager
    def page(self, width: int = 1100, height: int = 900) -> Iterator[Page]:
        """A fresh tab with storage of its own."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        try:
            target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
            attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
            page = Page(self, attached["sessionId"])
            page.size(width, height)
            for domain in ("Page", "Runtime", "Log", "Network"):
                page.call(f"{domain}.enable")
            yield page
        finally:
            self.call("Target.disposeBrowserContext", browserContextId=context)

    def close(self) -> None:
        """End the browser with all its processes, and remove its profile."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        for end in (self._to, self._from):
            with contextlib.suppress(OSError):
                os.close(end)
        shutil.rmtree(self._profile, ignore_errors=True)


class Page:
    """One tab."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, wait: float = 20.0, **params: Any) -> dict[str, Any]:
        """One command for this tab."""
        return self._browser.call(method, self._session, wait, **params)

    def send(self, method: str, **params: Any) -> None:
        """One command for this tab, without waiting for what comes of it."""
        self._browser.send(method, self._session, **params)

    def size(self, width: int, height: int, dark: bool = False) -> None:
        """The size of the window in CSS pixels, and the scheme of its colours."""
        mobile = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if mobile else 1,
            mobile=mobile,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        """Go to a URL; raises `BrowserError` where nothing answers."""
        told = self.call("Page.navigate", url=url)
        if told.get("errorText"):
            raise BrowserError(f"{url}: {told['errorText']}")
        self.until("document.readyState === 'complete'")

    def run(self, script: str, wait: float = 20.0) -> Any:
        """What an expression gives, awaited; raises `BrowserError` with what it threw."""
        told = self.call(
            "Runtime.evaluate",
            wait,
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in told:
            thrown = told["exceptionDetails"]
            raise BrowserError(thrown.get("exception", {}).get("description") or thrown["text"])
        return told["result"].get("value")

    def until(self, condition: str, wait: float = 20.0) -> None:
        """Wait for an expression to become true."""
        end = time.monotonic() + wait
        while not self.run(condition):
            if time.monotonic() > end:
                raise BrowserError(f"not within {wait:g} s: {condition}")
            time.sleep(0.03)

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """A PNG of the page, or of what the window shows."""
        told = self.call("Page.captureScreenshot", captureBeyondViewport=whole, format="png")
        path.write_bytes(base64.b64decode(told["data"]))


def _spawn(program: str, flags: Sequence[str], home: str) -> tuple[int, int, int]:
    """Start it; its process id, the end to write commands to and the end to read from."""
    command_read, command_write = os.pipe()
    answer_read, answer_write = os.pipe()
    # Above 3 and 4, so that putting one in its place does not close the other.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (command_read, answer_write)]
    for end in (command_read, answer_write):
        os.close(end)
    kept = ("PATH", "LANG", "TZ", "LD_LIBRARY_PATH", "XDG_RUNTIME_DIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    actions: list[tuple[Any, ...]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, ends[0], 3),
        (os.POSIX_SPAWN_DUP2, ends[1], 4),
    ]
    try:
        pid = os.posix_spawn(
            program,
            [program, *flags, "about:blank"],
            {**environment, "HOME": home, "TMPDIR": home},
            file_actions=actions,
            setpgroup=0,
        )
    except OSError as error:
        os.close(command_write)
        os.close(answer_read)
        raise BrowserError(f"{program}: {error.strerror or error}") from error
    finally:
        for end in ends:
            os.close(end)
    return pid, command_write, answer_read
