"""Causes for what a person sees, by the words that he would search for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ssemedic.explain.kinds import KINDS
from ssemedic.rules import Rule
from ssemedic.symptoms import Kind

_WORD = re.compile(r"[a-z0-9]+(?:[_./'-][a-z0-9]+)*")
_STATUS = re.compile(r"(?<!\d)([1-5]\d\d)(?!\d)")
#: Words that stand in every question.
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are at be but by do does for from get gets has have i in is it its my no not of"
        " on or so sse stream streams that the then there this to too very via was when why with"
        " event events eventsource server sent browser nginx net err error",
    )
)


@dataclass(frozen=True)
class Fits:
    """A kind of symptom that fits the words, and the causes that explain it."""

    kind: Kind
    phrase: str
    rules: tuple[Rule, ...]


def by_words(text: str, rules: Sequence[Rule]) -> tuple[tuple[Fits, ...], tuple[Rule, ...]]:
    """The symptoms that fit what was searched for, the best first; and causes that name it.

    Both are empty where nothing fits. Pure.
    """
    statuses = {int(found) for found in _STATUS.findall(text)}
    scored = sorted(
        ((_score(text, kind), kind) for kind in KINDS), key=lambda pair: pair[0][0], reverse=True
    )
    best = scored[0][0][0]
    fits = []
    for (score, phrase), kind in scored:
        explaining = tuple(r for r in rules if _explains(r, kind, statuses))
        if score > 0 and score >= best * 0.6 and explaining:
            fits.append(Fits(kind, phrase, explaining))
    wanted = _words(text)
    named = [
        (len(wanted & _words(f"{r.id.replace('_', ' ')} {r.title} {r.text}")), r) for r in rules
    ]
    most = max((count for count, _ in named), default=0)
    by_name = tuple(r for count, r in named if wanted and count == most >= min(2, len(wanted)))
    return tuple(fits), by_name


def _explains(rule: Rule, kind: Kind, statuses: set[int]) -> bool:
    """With a status in the question, a cause that has statuses must have that one."""
    return any(
        sign.kind is kind and (not statuses or not sign.statuses or statuses & {*sign.statuses})
        for sign in rule.explains
    )


def _score(text: str, kind: Kind) -> tuple[float, str]:
    """How well a kind fits, and by which phrase; 0 where not at all."""
    asked, plain = _words(text), _plain(text)
    met = KINDS[kind]
    best, phrase = 0.0, ""
    for said in (*met.searched, met.seen, str(kind).replace("_", " ")):
        words, whole = _words(said), _plain(said)
        if plain and (plain in whole or whole in plain):
            score = 3.0 + min(len(plain), len(whole)) / 100
        else:
            score = 2 * len(asked & words) / (len(asked) + len(words)) if asked and words else 0.0
        if score > best and (score >= 3 or len(asked & words) >= min(2, len(asked))):
            best, phrase = score, said
    return best, phrase


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def _words(text: str) -> frozenset[str]:
    parts = {p for word in _WORD.findall(text.lower()) for p in (word, *re.split(r"[_./'-]", word))}
    return frozenset(parts - _COMMON - {""})
