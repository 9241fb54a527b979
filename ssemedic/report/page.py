"""A console that takes host text without harm: cleaned, redacted, never read as markup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from ssemedic.report.clean import clean
from ssemedic.report.redact import redact
from ssemedic.report.strip import ASCII, UNICODE, Signs

#: The longest host text on a terminal; the report file holds all of it.
LONGEST = 600

GOOD, BAD, WARN, QUIET, STRONG, MARK = "green", "bold red", "yellow", "dim", "bold", "cyan"


@dataclass(frozen=True)
class Page:
    """Where the report is printed. Every text on it went through `text` or `host`."""

    console: Console
    signs: Signs

    @property
    def plain(self) -> bool:
        """True where no escape may be written; rich itself keeps bold and dim under NO_COLOR."""
        return self.console.no_color

    @property
    def ascii_only(self) -> bool:
        """True where the encoding of the output cannot carry more than ASCII."""
        return self.console.options.ascii_only

    def host(self, value: object, style: str = "", *, lines: bool = False) -> Text:
        """Text that came from a host, or holds some."""
        shown = clean(
            redact(str(value)),
            lines=lines,
            ascii_only=self.ascii_only,
            limit=0 if lines else LONGEST,
        )
        return self.text(shown, style)

    def text(self, value: str, style: str = "") -> Text:
        """Text of our own."""
        if self.ascii_only:
            value = clean(value, lines=True, ascii_only=True)
        return Text(value, style="" if self.plain else style)

    def join(self, *parts: Text) -> Text:
        """Parts one after the other, each in its style."""
        return Text().join(parts)

    def blank(self) -> None:
        """An empty line."""
        self.console.print()

    def put(self, what: Text, indent: int = 0) -> None:
        """Print a text, moved to the right; what is too long wraps under its beginning."""
        self._hang(Text(" " * indent), what)

    def raw(self, line: Text, indent: int = 0) -> None:
        """Print one line that must not be wrapped, such as one of a diff."""
        moved = self.join(Text(" " * indent), line)
        self.console.print(moved, soft_wrap=True, highlight=False)

    def head(self, title: str) -> None:
        """A heading with an empty line before it."""
        self.blank()
        self.put(self.text(title, STRONG))

    def rows(self, pairs: Iterable[tuple[Text, Text]], indent: int = 2) -> None:
        """Two columns; the second wraps under itself."""
        table = list(pairs)
        width = max((label.cell_len for label, _ in table), default=0)
        for label, value in table:
            gap = " " * (width - label.cell_len + 1)
            self._hang(self.join(Text(" " * indent), label, Text(gap)), value)

    def bullets(self, items: Iterable[Text], indent: int = 2) -> None:
        """A list."""
        self.rows(((self.text(self.signs.bullet, QUIET), item) for item in items), indent)

    def _hang(self, head: Text, body: Text) -> None:
        """The head, and the body beside it in lines that end where their text ends."""
        width = max(20, self.console.width - head.cell_len)
        lead = head
        for line in body.wrap(self.console, width, overflow="fold") or [Text()]:
            line.rstrip()
            self.raw(self.join(lead, line))
            lead = Text(" " * head.cell_len)


def page_on(console: Console) -> Page:
    """The page for a console, in the characters that its encoding can carry."""
    return Page(console, ASCII if console.options.ascii_only else UNICODE)
