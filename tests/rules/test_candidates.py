"""Which URLs may be event streams, for when nobody names one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssemedic.candidates import candidates
from ssemedic.nginx import ConfigError
from tests.rules.cases import CaseFile, case_files

CASE: CaseFile = next(c for c in case_files() if c.rule == "nginx_http10_upstream" and c.broken)


def test_the_location_of_a_stream_is_a_candidate_with_its_target() -> None:
    (found,) = candidates(CASE.evidence())
    assert found["url"].endswith("/events")
    assert found["targets"] == ["127.0.0.1:8000"]
    assert found["reasons"]


def test_a_configuration_that_cannot_be_read_is_not_an_empty_answer() -> None:
    evidence = CASE.evidence()
    assert evidence.nginx is not None
    torn = replace(evidence.nginx.files[0], content=b"http { server {")
    with pytest.raises(ConfigError, match=r"nginx\.conf"):
        candidates(replace(evidence, nginx=replace(evidence.nginx, files=(torn,))))
