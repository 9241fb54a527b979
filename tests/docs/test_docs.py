"""The documentation: no link leads nowhere, and no command that it shows is made up."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs import site
from docs.masking import PAGE, measured
from ssemedic import cli

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"(?ms)^```[a-z]*\n(.*?)^```")
_INLINE = re.compile(r"`((?:ssemedic|python remediate\.py) [^`]+)`")
#: An option of a command in a text: what stands in for a value is no option.
_OPTION = re.compile(r"(?<![\w-])(--?[a-z][a-z-]*)")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    site.build(folder)
    return folder


class Resources(HTMLParser):
    """What a page loads by itself, and the anchors and links that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag refers to."""
        self.tags.add(tag)
        for name, value in attrs:
            if value and name in ("src", "srcset", "data", "poster"):
                self.loads.append(value)
            if value and name == "href":
                (self.links if tag == "a" else self.loads).append(value)


def read(path: Path) -> Resources:
    found = Resources()
    found.feed(path.read_text("utf-8"))
    return found


def test_no_link_of_the_documentation_leads_nowhere() -> None:
    pages = site.pages()
    assert [line for name in pages for line in site.broken_links(name, pages)] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("[a](nowhere.md)", "leads nowhere"), ("[a](#nothing)", "names no heading"),
     ("![a](no.png)", "leads nowhere")],
)  # fmt: skip
def test_a_link_that_leads_nowhere_is_told(text: str, said: str) -> None:
    (line,) = site.broken_links("x.md", {"x.md": f"# X\n\n{text}\n"})
    assert said in line


def test_every_link_of_the_site_leads_to_a_page_or_picture_of_it(built: Path) -> None:
    wrong = []
    for page in built.rglob("*.html"):
        found = read(page)
        for target in (*found.loads, *found.links):
            path, _hash, anchor = target.partition("#")
            if target.startswith("https://"):
                continue
            there = (page.parent / path).resolve() if path else page
            if not there.is_file() or (anchor and f'id="{anchor}"' not in there.read_text("utf-8")):
                wrong.append(f"{page.name}: {target}")
    assert wrong == []


def test_the_site_loads_nothing_from_elsewhere_and_runs_nothing(built: Path) -> None:
    for page in built.rglob("*.html"):
        found = read(page)
        assert not [load for load in found.loads if ":" in load or load.startswith("//")]
        assert not found.tags & {"script", "iframe", "object", "embed", "form"}
        assert "default-src 'none'" in page.read_text("utf-8")


def test_every_page_is_in_the_site_and_the_menu(built: Path) -> None:
    index = (built / "index.html").read_text("utf-8")
    for name in site.pages():
        there = built / site._html(name)
        assert there.is_file(), name
        if not name.startswith("causes/"):
            assert f'href="{site._html(name)}"' in index, name


def commands() -> dict[str, argparse.ArgumentParser]:
    actions = cli._parser()._actions
    (sub,) = [action for action in actions if isinstance(action, argparse._SubParsersAction)]
    return dict(sub.choices)


def shown() -> Iterator[tuple[str, str]]:
    """Each command line of ours that a page shows: page, line."""
    for path in PAGES:
        text = path.read_text("utf-8")
        lines = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
        for line in [*lines, *_INLINE.findall(text)]:
            bare = line.strip().removeprefix("$ ").partition("|")[2 if "| ssemedic" in line else 0]
            bare = bare.strip()
            if bare.startswith(("ssemedic ", "python remediate.py ")):
                yield path.relative_to(ROOT).as_posix(), bare


def test_every_command_and_option_that_a_page_shows_is_there() -> None:
    known, wrong, seen = commands(), [], 0
    for page, line in shown():
        words = line.replace("python remediate.py", "ssemedic remediate").split()
        if words[1].startswith("-"):
            continue
        name = words[1].rstrip(".,:;")
        seen += 1
        if name not in known:
            wrong.append(f"{page}: {line}: no command {name}")
            continue
        options = {o for action in known[name]._actions for o in action.option_strings}
        rest = re.sub(r"#.*|\".*?\"|'.*?'", "", " ".join(words[2:]))
        wrong += [f"{page}: {line}: {o}" for o in _OPTION.findall(rest) if o not in options]
    assert seen > 20
    assert wrong == []


def test_every_command_has_its_place_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    told = set(re.findall(r"`ssemedic ([a-z]+)", text)) | set(
        re.findall(r", `([a-z]+) [A-Z]", text)
    )
    assert sorted(set(commands()) - told) == []


def test_every_make_target_that_a_page_shows_is_there() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8")))
    for path in PAGES:
        lines = [x for block in _BLOCK.findall(path.read_text("utf-8")) for x in block.splitlines()]
        for line in lines:
            if line.startswith("make "):
                assert shlex.split(line, comments=True)[1] in targets, f"{path.name}: {line}"


def test_ordinary_text_stays_as_it_is_and_the_page_tells_the_number() -> None:
    found = measured()
    assert found.lines > 20_000
    assert len(found.wrong) <= 3, found.wrong
    said = re.search(r"(?m)^Measured: of [\d,]+ lines .* \((\d+\.\d+) %\)\.$", PAGE.read_text())
    assert said, "run `make docs`"
    assert float(said[1]) == pytest.approx(100 * len(found.wrong) / found.lines, abs=0.02)


def test_the_site_is_built_by_one_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [".venv/bin/python", "-m", "docs.site", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "pages in" in done.stdout
    assert (tmp_path / "causes" / "index.html").is_file()
