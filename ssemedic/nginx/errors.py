"""The one error of this package."""

from __future__ import annotations


class ConfigError(ValueError):
    """nginx would not load this configuration; the text begins with "file:line: "."""
