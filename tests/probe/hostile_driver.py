"""Records what it is told to, one JSON line at a time, and says how much memory it ever took.

A process of its own, so that its memory is the recorder's and not the test's.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from ssemedic.probe import inside, outside
from ssemedic.probe.redirects import record_following
from ssemedic.probe.request import Request
from ssemedic.stream.detect import observe_one
from ssemedic.stream.remarks import remarks

RECORDERS = {"inside": inside.record, "outside": outside.record}


def peak_mib() -> float:
    """The most memory this process ever had; ru_maxrss would count the parent's."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    record = RECORDERS[sys.argv[1]]
    for line in sys.stdin:
        began = time.monotonic()
        stream = record_following(Request("public", **json.loads(line)), record)
        recorded = time.monotonic()
        symptoms = observe_one(stream)
        remarks(stream)
        outcome = {
            "end": stream.end.kind,
            "detail": stream.end.detail,
            "kinds": [str(symptom.kind) for symptom in symptoms],
            "seconds": recorded - began,
            "judged": time.monotonic() - recorded,
            "peak": peak_mib(),
        }
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
