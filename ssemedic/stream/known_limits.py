"""Time limits that products are known to have, to match a measured cut against."""

from __future__ import annotations

#: Seconds -> whose limit it is.
KNOWN_LIMITS: tuple[tuple[float, str], ...] = (
    (15.0, "Envoy's route timeout, some Go servers' WriteTimeout"),
    (29.0, "AWS API Gateway"),
    (30.0, "Google Cloud load balancers, HAProxy, Spring async, gunicorn workers, Next.js"),
    (55.0, "the Heroku router"),
    (60.0, "nginx proxy_read_timeout, AWS load balancers"),
    (100.0, "Cloudflare"),
    (120.0, "old Node servers, some tunnels"),
    (240.0, "Azure load balancers"),
    (300.0, "undici, Envoy's idle timeout"),
    (600.0, "Mercure"),
)


def known_limits(seconds: float) -> tuple[str, ...]:
    """Whose default a measured time of that many seconds is; timers fire up to 1 s late."""
    near = (entry for entry in KNOWN_LIMITS if entry[0] - 0.3 <= seconds <= entry[0] + 1.0)
    return tuple(f"{limit:g} s: {whose}" for limit, whose in near)
