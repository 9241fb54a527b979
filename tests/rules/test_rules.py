"""One harness holds for every rule: its case files are the specification."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssemedic.diagnosis import Verdict
from ssemedic.finding import NginxRemedy, Status
from ssemedic.rules import all_rules
from tests.rules.cases import HERE, CaseFile, case_files

RULES = {rule.id: rule for rule in all_rules()}
CASES = case_files()
BROKEN = [case for case in CASES if case.broken]
HEALTHY = [case for case in CASES if not case.broken]


def _named(cases: list[CaseFile]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_has_a_broken_case_and_a_healthy_twin(rule: str) -> None:
    names = [path.name for path in (HERE / rule).glob("*.yml")]
    assert any(name.startswith("broken_") for name in names)
    assert any(name.startswith("healthy_") for name in names)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_is_named_after_its_file_and_speaks_in_sentences(rule: str) -> None:
    module = RULES[rule].check.__module__
    assert module == f"ssemedic.rules.{rule}"
    assert RULES[rule].title.endswith(".")
    assert len(RULES[rule].text) > 100


def test_every_case_belongs_to_a_rule() -> None:
    assert {case.rule for case in CASES} <= set(RULES)


@_named(BROKEN)
def test_it_is_named_first(case: CaseFile) -> None:
    diagnosis = case.judged().diagnosis
    expected = case.data["expect"]
    assert diagnosis.causes, f"no cause; symptoms: {[s.text for s in diagnosis.symptoms]}"
    # Where two causes are there, the case says in which order they are to be told.
    order = expected.get("order", [case.rule])
    assert [cause.rule.id for cause in diagnosis.causes][: len(order)] == order
    named = next(cause for cause in diagnosis.causes if cause.rule.id == case.rule)
    assert named.status == Status(expected.get("status", "confirmed"))
    assert named.finding.hop == expected["hop"]
    assert [symptom.id for symptom in diagnosis.unexplained] == expected.get("unexplained", [])
    assert diagnosis.verdict == expected.get("verdict", diagnosis.verdict)


@_named(BROKEN)
def test_it_is_remedied_or_advised_as_the_case_says(case: CaseFile) -> None:
    judgement = case.judged()
    assert judgement.plan is not None
    expected = case.data["expect"]
    if "settings" in expected:
        assert judgement.plan.nginx is not None
        lines = {(x.name, " ".join(x.args)) for x in judgement.plan.nginx.directives}
        for name, value in expected["settings"].items():
            assert (name, value) in lines
    elif "without" in expected or "process" in expected:
        named = next(c for c in judgement.diagnosis.causes if c.rule.id == case.rule)
        assert isinstance(named.finding.remedy, NginxRemedy)
        assert [list(line) for line in named.finding.remedy.without] == expected.get("without", [])
        assert dict(named.finding.remedy.process) == expected.get("process", {})
    elif expected.get("reload"):
        assert judgement.plan.nginx_reload and judgement.plan.nginx is None
    elif "unit" in expected:
        (unit,) = judgement.plan.units
        for name, value in expected["unit"].items():
            assert getattr(unit, name) == value
    else:
        assert judgement.plan.is_empty
        assert case.rule in {counsel.rule for counsel in judgement.plan.advice}


@_named([case for case in BROKEN if "advice" in case.data["expect"]])
def test_its_advice_holds_the_lines_to_write(case: CaseFile) -> None:
    judgement = case.judged()
    assert judgement.plan is not None
    given = [x.advice.text for x in judgement.plan.advice if x.rule == case.rule]
    for lines in case.data["expect"]["advice"]:
        assert any(lines in text for text in given), given


@_named(HEALTHY)
def test_its_healthy_twin_is_not_blamed(case: CaseFile) -> None:
    diagnosis = case.judged().diagnosis
    assert case.rule not in {cause.rule.id for cause in diagnosis.causes}
    expected = case.data.get("expect", {})
    if "cause" in expected:
        assert [cause.rule.id for cause in diagnosis.causes] == [expected["cause"]]
    elif expected.get("unexplained"):
        assert diagnosis.unexplained
    elif "verdict" in expected:
        assert not diagnosis.causes
        assert diagnosis.verdict == expected["verdict"]
    else:
        assert not diagnosis.causes
        assert diagnosis.verdict is Verdict.HEALTHY


@_named(BROKEN)
def test_it_is_skipped_when_its_evidence_is_gone(case: CaseFile) -> None:
    for section in RULES[case.rule].needs:
        diagnosis = case.judged(without=section).diagnosis
        assert case.rule in diagnosis.skipped
        assert case.rule not in {cause.rule.id for cause in diagnosis.causes}
        # What nginx logged is lost with nginx; a symptom that was measured stays.
        measured = any(s.source == "stream" for s in case.judged().diagnosis.symptoms)
        assert not measured or diagnosis.verdict is not Verdict.HEALTHY


@_named([case for case in BROKEN if "settings" in case.data["expect"]])
def test_its_remedy_cures_it_in_the_model(case: CaseFile) -> None:
    """After the edit the setting is in force for the URL, and a second plan edits nothing."""
    from ssemedic.nginx import adopt, after, route
    from ssemedic.nginx.onward import onward

    judgement = case.judged()
    assert judgement.plan is not None and judgement.plan.nginx is not None
    topology = judgement.case.topology
    assert topology.tree is not None
    tree = after(topology.tree, judgement.plan.nginx)
    now = route(tree, judgement.case.route.url, "1.22.1")
    if case.data["expect"]["hop"] == "inner":
        behind = onward(now)
        assert behind is not None
        now = behind
    assert now.serves == "proxy"
    for name, value in case.data["expect"]["settings"].items():
        assert tuple(value.split()) in [
            tuple(x for x in args if x) for args in now.setting(name).values
        ] or value in [" ".join(args) for args in now.setting(name).values]
    again = adopt(tree, now, judgement.plan.nginx.directives, judgement.plan.nginx.ours)
    assert not getattr(again, "files", ("refused",))


@_named([case for case in BROKEN if {"without", "process"} & set(case.data["expect"])])
def test_what_it_takes_away_or_sets_for_the_processes_is_so_in_the_model(case: CaseFile) -> None:
    """After the edit the line is not in force for the URL, and the limit is; all else stays."""
    from ssemedic.nginx import after, route

    judgement = case.judged()
    if case.data["expect"].get("status") == "latent":
        return
    assert judgement.plan is not None and judgement.plan.nginx is not None
    topology, url = judgement.case.topology, judgement.case.route.url
    assert topology.tree is not None
    before = route(topology.tree, url, "1.22.1")
    now = route(after(topology.tree, judgement.plan.nginx), url, "1.22.1")
    gone = {(name, first.lower()) for name, first in case.data["expect"].get("without", [])}
    for name in {name for name, _ in gone}:
        kept = [v for v in before.setting(name).values if (name, v[0].lower()) not in gone]
        # A line with an empty value does nothing; it keeps those of outer levels away.
        assert [v for v in now.setting(name).values if v[1:] != ("",)] == kept
    for name, value in case.data["expect"].get("process", {}).items():
        assert now.setting(name).first == value
        assert len(now.setting(name).lines) == 1


def test_case_files_are_where_they_are_looked_for() -> None:
    assert len(CASES) >= 2 * len(RULES)
    assert Path(HERE).name == "rules"
