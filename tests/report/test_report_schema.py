"""What is published is what is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ssemedic.diagnosis import Verdict
from ssemedic.endpoint import Endpoint, Message
from ssemedic.finding import Audience, Disruption, Layer, Severity, Status
from ssemedic.report.model import SCHEMA
from ssemedic.report.schema import SchemaError, schema, validate
from ssemedic.report.words import ENDS, OUTCOMES, SHOWS
from ssemedic.stream.record import END_KINDS
from ssemedic.symptoms import Kind
from ssemedic.token import Token
from tests.report.conftest import NOW, URL, all_streaming, evidence, report_on

REPORTS = "healthy broken buffered advised stopped unseen puzzling repaired undone"


@pytest.mark.parametrize("name", REPORTS.split())
def test_every_report_is_of_the_published_form(name: str, request: pytest.FixtureRequest) -> None:
    validate(request.getfixturevalue(name))


def test_a_report_with_a_token_and_a_full_endpoint_is_of_the_published_form() -> None:
    endpoint = Endpoint(
        URL,
        origin="https://app.example.org",
        unit="notify",
        upstream="127.0.0.1:8000",
        keepalive_seconds=30.0,
        ca_file="/etc/ca.pem",
        devproxy="http://127.0.0.1:5173/events",
        message=Message("/api/chats/1/messages", {"text": "hello"}),
    )
    token = Token(120, True, "EdDSA", NOW + 60, NOW, NOW, "auth", ("notify",), ("exp", "sub"))
    validate(report_on(evidence(*all_streaming()), endpoint, token))


def test_the_schema_itself_is_valid_and_named() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["title"] == "ssemedic report"
    assert schema()["$id"] == f"urn:ssemedic:report:{SCHEMA}"
    assert schema()["properties"]["schema"] == {
        **schema()["properties"]["schema"],
        "const": SCHEMA,
    }


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("verdict", Verdict),
        ("status", Status),
        ("severity", Severity),
        ("layer", Layer),
        ("kind", Kind),
        ("disruption", Disruption),
        ("audience", Audience),
        ("end_kind", END_KINDS),
    ],
)
def test_the_words_of_the_schema_are_the_words_of_the_code(
    name: str, values: Iterable[str]
) -> None:
    assert schema()["$defs"][name]["enum"] == [str(value) for value in values]


def test_every_word_of_the_schema_has_a_sentence() -> None:
    assert set(SHOWS) == set(Kind)
    assert set(ENDS) == set(END_KINDS)
    assert set(OUTCOMES) == set(schema()["$defs"]["changes"]["properties"]["outcome"]["enum"])


def test_an_unknown_field_and_a_foreign_word_are_refused(healthy: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match="surprise"):
        validate({**healthy, "surprise": 1})
    with pytest.raises(SchemaError, match="fine"):
        validate({**healthy, "verdict": {"before": "fine", "after": None}})


def test_every_object_of_a_fixed_form_is_closed() -> None:
    def open_objects(node: Any, path: str = "$") -> Iterable[str]:
        if isinstance(node, dict):
            if node.get("type") == "object" and "properties" in node:
                if node.get("additionalProperties") is not False:
                    yield path
                undescribed = set(node.get("required", ())) - set(node["properties"])
                assert not undescribed, f"{path}: {undescribed} required and not described"
            for key, item in node.items():
                yield from open_objects(item, f"{path}.{key}")
        elif isinstance(node, list):
            for item in node:
                yield from open_objects(item, path)

    assert list(open_objects(schema())) == []
