"""A console that takes host text without harm: cleaned, redacted, never read as markup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
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

    def put(self, what: RenderableType = "", indent: int = 0) -> None:
        """Print something, moved to the right; long lines wrap under their beginning."""
        self.console.print(Padding(what, (0, 0, 0, indent), expand=False), highlight=False)

    def raw(self, line: Text, indent: int = 0) -> None:
        """Print one line that must not be wrapped, such as one of a diff."""
        moved = self.join(Text(" " * indent), line)
        self.console.print(moved, soft_wrap=True, highlight=False)

    def head(self, title: str) -> None:
        """A heading with an empty line before it."""
        self.put()
        self.put(self.text(title, STRONG))

    def rows(self, pairs: Iterable[tuple[Text, Text]], indent: int = 2, width: int = 0) -> None:
        """Two columns; the second wraps under itself."""
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, min_width=width or None)
        table.add_column(overflow="fold")
        for label, value in pairs:
            table.add_row(label, value)
        if table.row_count:
            self.put(table, indent)

    def bullets(self, items: Iterable[Text], indent: int = 2) -> None:
        """A list."""
        self.rows(((self.text(self.signs.bullet, QUIET), item) for item in items), indent)


def page_on(console: Console) -> Page:
    """The page for a console, in the characters that its encoding can carry."""
    return Page(console, ASCII if console.options.ascii_only else UNICODE)
