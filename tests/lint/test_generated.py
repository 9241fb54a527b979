"""Healthy configurations give no finding; one fault in them gives its own, at its line."""

from __future__ import annotations

import pytest

from ssemedic.endpoint import Endpoint
from ssemedic.lint import Judged, Problem, judge
from ssemedic.nginx import tree_of
from tests.lint.faults import FAULTS
from tests.lint.sites import PREFIX, Site, healthy

HEALTHY = 200
SEEDS = range(16)
KEEPALIVE = 60.0


def judged(site: Site) -> Judged:
    tree = tree_of(site.files, f"{PREFIX}/nginx.conf")
    assert tree.notes == ()
    endpoint = Endpoint(site.url, keepalive_seconds=KEEPALIVE)
    (one,) = judge(tree, [endpoint], site.version)
    return one


def told(problem: Problem) -> tuple[str, str, str]:
    return problem.rule.id, problem.level.value, f"{problem.file}:{problem.line}"


def test_200_healthy_configurations_give_no_finding() -> None:
    alarms = []
    for seed in range(HEALTHY):
        site = healthy(seed)
        one = judged(site)
        alarms += [f"{seed}, {site.version}: {told(problem)}" for problem in one.problems]
        assert one.unknown == "", f"{seed}: {one.unknown}"
        assert one.route.location is not None
        place = f"{one.route.location.directive.file}:{one.route.location.directive.line}"
        assert place == site.at(site.stream), seed
        assert one.edit is None, seed
    assert alarms == []


def test_the_generated_ones_differ() -> None:
    sites = [healthy(seed) for seed in range(HEALTHY)]
    contents = {b"".join(site.files.values()) for site in sites}
    assert len(contents) == HEALTHY
    assert len({site.version for site in sites}) == 9
    assert len({site.stream.words[1] for site in sites}) >= 8
    assert {site.tls for site in sites} == {True, False}
    assert len({len(site.files) for site in sites}) >= 5


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named_at_its_line_and_nothing_else_is(name: str) -> None:
    fault, planted = FAULTS[name], 0
    for seed in range(200):
        site = healthy(seed)
        node = fault.plant(site)
        if node is None:
            continue
        planted += 1
        found = [told(p) for p in judged(site.render()).problems if p.rule.id not in fault.also]
        assert found == [(fault.rule, fault.level.value, site.at(node))], f"seed {seed}"
        if planted == len(SEEDS):
            break
    assert planted >= 4, "hardly any site can have this fault"
