"""The published form of a report, for whoever wants to check one against it.

Needs `jsonschema`, which only the tests install: a report that this program wrote is
not checked again at run time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

#: Beside the documentation, where people look for it; there in a checkout, not in a wheel.
PATH = Path(__file__).parents[2] / "docs" / "report.schema.json"


class SchemaError(ValueError):
    """A report is not of the published form; the message names the place."""


def validate(report: Mapping[str, Any]) -> None:
    """Raise `SchemaError` where the report, as JSON, is not what docs/report.schema.json says."""
    from jsonschema import Draft202012Validator

    plain = json.loads(json.dumps(report))
    for error in Draft202012Validator(schema()).iter_errors(plain):
        raise SchemaError(f"{error.json_path}: {error.message}")


@cache
def schema() -> dict[str, Any]:
    """The schema itself (JSON Schema, draft 2020-12)."""
    data = json.loads(PATH.read_text("utf-8"))
    assert isinstance(data, dict)
    return data
