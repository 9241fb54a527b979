"""Lines of logs in classes: what went wrong, who says so, how often and since when.

Runs on the host too (Python 3.8, standard library). A line is data: hostile, of any length.
"""

from __future__ import annotations

from .classify import classify, refusal
from .requests import request_lines
from .scan import Found, Scan
from .signature import KINDS, Signature
from .table import SIGNATURES

__all__ = [
    "KINDS",
    "SIGNATURES",
    "Found",
    "Scan",
    "Signature",
    "classify",
    "refusal",
    "request_lines",
]
