"""Judges an nginx configuration without a host: what of it would hurt an event stream.

No diagnosis: there is no stream to measure. What a configuration alone cannot tell is said
with each finding.
"""

from __future__ import annotations

from .judge import Judged, Level, Problem, judge
from .source import Configuration, read_configuration, read_dumped

__all__ = [
    "Configuration",
    "Judged",
    "Level",
    "Problem",
    "judge",
    "read_configuration",
    "read_dumped",
]
