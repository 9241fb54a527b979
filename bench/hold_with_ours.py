"""Hold streams as `ssemedic probe --streams` does, as fast as it can.

``python -m bench.hold_with_ours URL STREAMS SECONDS`` prints one line of JSON.
"""

from __future__ import annotations

import json
import sys

from ssemedic.probe import capacity


def main(url: str, streams: int, seconds: float) -> None:
    """Run once; anything but all streams held to the end is an error."""
    result = capacity.run(capacity.Load(url, streams, seconds, ramp=0.0))
    if result.held < streams:
        print(*capacity.render_lines(result), sep="\n", file=sys.stderr)
        sys.exit(1)
    latency = result.event_latency
    found = {
        "opened": result.opened,
        "ramp": result.ramp,
        "bytes_per_stream": result.own.bytes_per_stream,
        "cpu_share": result.own.cpu_share,
        "events_per_second": result.events_per_second,
        "latency_p50": latency.p50 if latency else None,
        "latency_p99": latency.p99 if latency else None,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
