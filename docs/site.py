"""The documentation as a static site: `python -m docs.site [FOLDER]`, or `make docs-site`.

Every Markdown page of docs/ and the README become HTML beside their pictures. No page loads
anything from elsewhere; there is no script.
"""

from __future__ import annotations

import html
import itertools
import os
import posixpath
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

HERE = Path(__file__).parent
ROOT = HERE.parent
#: Pages outside of docs/ that belong to it, by their name in the site.
BESIDE = {"index.md": "README.md", "CONTRIBUTING.md": "CONTRIBUTING.md",
          "SECURITY.md": "SECURITY.md", "CHANGELOG.md": "CHANGELOG.md"}  # fmt: skip
#: The order of the menu; pages that are not named follow by their title.
MENU = (
    "index.md", "symptoms.md", "causes/README.md", "probe.md", "analyze.md", "report.md",
    "bundle.md", "redaction.md", "own-site.md",
)  # fmt: skip
_COPIED = {".svg", ".png", ".json"}
_OUTWARD = ("https://", "http://", "mailto:")
_CSS = """
:root{color-scheme:light dark;--ink:#1b1f24;--quiet:#57606a;--line:#d0d7de;--back:#fff;
--soft:#f6f8fa;--link:#0550ae}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--quiet:#9198a1;--line:#3d444d;
--back:#0d1117;--soft:#151b23;--link:#79c0ff}}
*{box-sizing:border-box}
body{margin:0;font:16px/1.6 system-ui,sans-serif;color:var(--ink);background:var(--back);
display:grid;grid-template-columns:15rem minmax(0,1fr);min-height:100vh}
nav{border-right:1px solid var(--line);padding:1.5rem 1rem;font-size:.9rem;background:var(--soft)}
nav ul{list-style:none;margin:0;padding:0}nav li{margin:.25rem 0}
nav a[aria-current]{font-weight:600;color:var(--ink)}
main{padding:1.5rem 2rem 4rem;max-width:64rem}
a{color:var(--link)}h1,h2,h3{line-height:1.25}h2{margin-top:2.2rem;border-bottom:1px solid
var(--line);padding-bottom:.2rem}
code,pre{font:13.5px/1.5 ui-monospace,monospace;background:var(--soft);border-radius:4px}
code{padding:.1em .3em;overflow-wrap:anywhere}
pre{padding:.8rem 1rem;overflow-x:auto;border:1px solid var(--line)}
pre code{padding:0;background:none;overflow-wrap:normal}
.table{overflow-x:auto}table{border-collapse:collapse}
th,td{border:1px solid var(--line);padding:.35rem .6rem;text-align:left;vertical-align:top}
th{background:var(--soft)}img{max-width:100%;height:auto}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
@media(max-width:50rem){body{display:block}nav{border-right:0;border-bottom:1px solid var(--line)}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem .9rem}main{padding:1rem}}
"""


class SiteError(ValueError):
    """A link of the documentation leads nowhere; the message names it."""


def main(arguments: Sequence[str]) -> int:
    """Build into a folder (default: build/site); 0, or 1 with what is broken."""
    target = Path(arguments[0]) if arguments else ROOT / "build" / "site"
    try:
        written = build(target)
    except SiteError as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    print(f"docs: {written} pages in {target}")
    return 0


def build(target: Path) -> int:
    """Write the site; returns the number of pages. Raises `SiteError`."""
    found = pages()
    wrong = [line for name in found for line in broken_links(name, found)]
    if wrong:
        raise SiteError("; ".join(wrong))
    titles = {name: title(text) for name, text in found.items()}
    for name, text in found.items():
        path = target / _html(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(name, text, titles), "utf-8")
    for file in sorted(HERE.rglob("*")):
        if file.suffix in _COPIED:
            copy = target / file.relative_to(HERE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    return len(found)


def pages() -> dict[str, str]:
    """Every page by its name in the site: docs/ is its root."""
    found = {path.relative_to(HERE).as_posix(): path.read_text("utf-8")
             for path in sorted(HERE.rglob("*.md"))}  # fmt: skip
    for name, source in BESIDE.items():
        found[name] = _moved((ROOT / source).read_text("utf-8"))
    return found


def title(text: str) -> str:
    """The first heading of a page."""
    found = re.search(r"(?m)^# (.+)$", text)
    return found[1].strip() if found else "ssemedic"


def page(name: str, text: str, titles: Mapping[str, str]) -> str:
    """One page as HTML."""
    markdown = _markdown()
    tokens = markdown.parse(text)
    _prepare(tokens, name, set(titles))
    body = markdown.renderer.render(tokens, markdown.options, {})
    body = body.replace("<table>", '<div class="table" tabindex="0"><table>')
    body = body.replace("</table>", "</table></div>")
    shown = html.escape(titles[name])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src 'self' data:; style-src 'unsafe-inline'\">"
        f"<title>{shown} - ssemedic</title><style>{_CSS}</style></head>\n"
        f'<body><nav aria-label="Pages"><ul>{_menu(name, titles)}</ul></nav>\n'
        f"<main>\n{body}</main></body></html>\n"
    )


def broken_links(name: str, found: Mapping[str, str]) -> list[str]:
    """Each link of a page that leads nowhere, and each picture that is not there."""
    wrong = []
    for target in _targets(_markdown().parse(found[name])):
        if target.startswith(_OUTWARD):
            continue
        path, _hash, anchor = target.partition("#")
        there = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
        if there in found:
            if anchor and anchor not in anchors(found[there]):
                wrong.append(f"{name}: {target} names no heading")
        elif not _exists(there):
            wrong.append(f"{name}: {target} leads nowhere")
    return wrong


def anchors(text: str) -> set[str]:
    """The names of a page's headings, as forges make them."""
    tokens = _markdown().parse(text)
    return {name for _token, name in _headings(tokens)}


def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _moved(text: str) -> str:
    """The links of a page of the project's root, from where docs/ is the root."""

    def moved(found: re.Match[str]) -> str:
        path = found[1]
        if path.startswith((*_OUTWARD, "#")):
            return f"]({path})"
        return f"]({path.removeprefix('docs/') if path.startswith('docs/') else f'../{path}'})"

    named = {f"]({source})": f"]({name})" for name, source in BESIDE.items()}
    for old, new in named.items():
        text = text.replace(old, new.replace("](", "](docs/"))
    return re.sub(r"\]\(([^)\s]+)\)", moved, text)


def _exists(there: str) -> bool:
    """True for a file of docs/ or, one level up, of the project."""
    return Path(os.path.normpath(HERE / there)).exists()


def _targets(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        for child in token.children or ():
            target = child.attrGet("href") if child.type == "link_open" else child.attrGet("src")
            if target:
                yield str(target)


def _headings(tokens: Sequence[Token]) -> Iterator[tuple[Token, str]]:
    """Each heading with its anchor; one that comes again gets a number."""
    seen: dict[str, int] = {}
    for token, inline in itertools.pairwise(tokens):
        if token.type == "heading_open":
            text = "".join(c.content for c in inline.children or () if c.content)
            name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            number = seen.get(name, 0)
            seen[name] = number + 1
            yield token, f"{name}-{number}" if number else name


def _prepare(tokens: Sequence[Token], name: str, known: set[str]) -> None:
    """Anchors for headings; links to pages of the site; what is not in the site is no link."""
    for token, anchor in _headings(tokens):
        token.attrSet("id", anchor)
    for token in tokens:
        open_links: list[bool] = []
        for child in token.children or ():
            if child.type == "link_open":
                kept = _link(child, name, known)
                open_links.append(kept)
                child.hidden = not kept
                if not kept:
                    child.type, child.tag, child.nesting = "text", "", 0
                    child.content = ""
            elif child.type == "link_close" and not open_links.pop():
                child.type, child.tag, child.nesting = "text", "", 0
                child.content = ""


def _link(child: Token, name: str, known: set[str]) -> bool:
    """Make a link fit the site; False where it leads out of it."""
    target = str(child.attrGet("href"))
    if target.startswith(_OUTWARD):
        child.attrSet("rel", "noopener noreferrer")
        return True
    path, hash_, anchor = target.partition("#")
    if not path:
        return True
    there = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
    if there in known:
        child.attrSet("href", f"{_relative(name, _html(there))}{hash_}{anchor}")
        return True
    return not there.startswith("..") and Path(there).suffix in _COPIED


def _menu(current: str, titles: Mapping[str, str]) -> str:
    rest = sorted((n for n in titles if n not in MENU and not n.startswith("causes/")),
                  key=lambda n: titles[n].lower())  # fmt: skip
    items = []
    for name in [*(n for n in MENU if n in titles), *rest]:
        mark = ' aria-current="page"' if name == current else ""
        link = html.escape(_relative(current, _html(name)))
        items.append(f'<li><a href="{link}"{mark}>{html.escape(titles[name])}</a></li>')
    return "".join(items)


def _html(name: str) -> str:
    if name.endswith("README.md"):
        name = name.replace("README.md", "index.md")
    return name.removesuffix(".md") + ".html"


def _relative(source: str, target: str) -> str:
    return posixpath.relpath(target, posixpath.dirname(source) or ".")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
