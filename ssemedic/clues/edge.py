"""Who stands between the host and its clients, by what the public answer carries alone.

Products sign their answers; a header that the host itself sends as well is no such sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ssemedic.case import Case
from ssemedic.finding import Advice, Finding
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind, Symptom

HOP = "public"

#: How a stream looks that the edge keeps to itself, and one that it breaks off.
HELD = (Kind.BUFFERED, Kind.NO_ANSWER, Kind.HEADERS_LATE, Kind.SILENT)
CUT = (Kind.CUT_WHEN_IDLE, Kind.CUT_AFTER, Kind.RESET, Kind.ENDED)

#: Timers fire a little early by our clock, and up to so late (seconds).
_EARLY, _LATE = 0.4, 1.5


class Product(StrEnum):
    """What can be told by its headers."""

    CLOUDFLARE = "Cloudflare"
    AWS_ELB = "an AWS load balancer"
    API_GATEWAY = "AWS API Gateway"
    CLOUDFRONT = "CloudFront"
    VERCEL = "Vercel"
    NETLIFY = "Netlify"
    ENVOY = "Envoy"
    HEROKU = "the Heroku router"
    NGROK = "ngrok"
    LOCALTUNNEL = "localtunnel"
    CADDY = "Caddy"
    APACHE = "Apache"


#: product -> (header, what its value begins with or holds, in lower case; "" for any value)
_SIGNS: tuple[tuple[Product, str, str], ...] = (
    (Product.CLOUDFLARE, "cf-ray", ""),
    (Product.CLOUDFLARE, "server", "cloudflare"),
    (Product.AWS_ELB, "server", "awselb"),
    (Product.AWS_ELB, "set-cookie", "awsalb"),
    (Product.API_GATEWAY, "x-amz-apigw-id", ""),
    (Product.API_GATEWAY, "apigw-requestid", ""),
    (Product.CLOUDFRONT, "x-amz-cf-id", ""),
    (Product.VERCEL, "x-vercel-id", ""),
    (Product.NETLIFY, "x-nf-request-id", ""),
    (Product.ENVOY, "server", "envoy"),
    (Product.ENVOY, "server", "istio-envoy"),
    (Product.ENVOY, "x-envoy-upstream-service-time", ""),
    (Product.HEROKU, "via", "vegur"),
    (Product.HEROKU, "via", "heroku-router"),
    (Product.HEROKU, "server", "heroku"),
    (Product.NGROK, "ngrok-error-code", ""),
    (Product.NGROK, "ngrok-agent-ips", ""),
    (Product.LOCALTUNNEL, "x-localtunnel-agent-ips", ""),
    (Product.CADDY, "server", "caddy"),
    (Product.CADDY, "via", "caddy"),
    (Product.APACHE, "server", "apache"),
)


@dataclass(frozen=True)
class Edge:
    """A product in front of the host, and the header that says so ("CF-RAY: ...")."""

    product: Product
    sign: str


def edge(case: Case, *products: Product) -> Edge | None:
    """The first of these products that the public answer is signed by, and no hop inside."""
    public = case.topology.stream(HOP)
    inside = [s for s in case.topology.streams if s.hop != HOP and s.vantage == "inside"]
    if public is None or not inside:
        return None
    for product, header, value in _SIGNS:
        if product not in products:
            continue
        shown = _carries(public, header, value)
        if shown and not any(_carries(stream, header, value) for stream in inside):
            return Edge(product, f"{header}: {shown[:60]}")
    return None


def delivered(case: Case) -> Stream | None:
    """The hop just inside the public URL, where the stream comes through."""
    inside = [s for s in case.topology.streams if s.hop != HOP and s.vantage == "inside"]
    last = inside[-1] if inside else None
    return last if last is not None and last.is_event_stream and last.reads else None


def inside_is_fine(case: Case) -> str:
    """In words, what the hop just inside shows at the same time."""
    inside = delivered(case)
    if inside is None:
        return "no hop inside was seen to deliver"
    lasted = "still open" if inside.open_at_end else "ended"
    return f"{inside.hop}: {inside.size} bytes, {lasted} after {inside.end.at:.1f} s"


@dataclass(frozen=True)
class Shown:
    """What an edge shows at the public URL: who it is, and what was measured there."""

    edge: Edge
    symptom: Symptom


def held_by(case: Case, *products: Product) -> Shown | None:
    """One of these products that keeps back what comes to it in time."""
    found, symptom = edge(case, *products), case.symptom(HOP, *HELD)
    if found is None or symptom is None or delivered(case) is None:
        return None
    return Shown(found, symptom)


def ended_by(
    case: Case, *products: Product, limits: Sequence[float] = (), statuses: Sequence[int] = ()
) -> Shown | None:
    """One of these products that breaks the stream off at a limit of its own, or gives up."""
    found, cut = edge(case, *products), cut_at(case, *limits)
    symptom = cut or refused_with(case, statuses)
    return Shown(found, symptom) if found is not None and symptom is not None else None


def finding(case: Case, shown: Shown, *advice: Advice, expected: str) -> Finding:
    """What is said of it: the measurement, the signature, and what the hop inside shows."""
    return Finding(
        hop=HOP,
        where=case.endpoint.url,
        observed=shown.symptom.text.replace(f"{HOP}: ", f"{HOP}, {shown.edge.product}: ", 1),
        expected=expected,
        evidence=(shown.symptom.text, shown.edge.sign, inside_is_fine(case)),
        certainty=3,
        advice=advice,
    )


def cut_at(case: Case, *limits: float) -> Symptom | None:
    """The cut that begins at the public URL, where it fits one of these limits (seconds)."""
    symptom = case.symptom(HOP, *CUT)
    if symptom is None:
        return None
    for name in ("idle_seconds", "total_seconds"):
        seconds = symptom.measured.get(name)
        for limit in limits:
            if isinstance(seconds, (int, float)) and -_EARLY <= seconds - limit <= _LATE:
                return symptom
    return None


def refused_with(case: Case, statuses: Sequence[int]) -> Symptom | None:
    """One of these statuses that begins at the public URL."""
    symptom = case.symptom(HOP, Kind.WRONG_STATUS)
    return symptom if symptom and symptom.measured.get("status") in statuses else None


def _carries(stream: Stream, header: str, value: str) -> str:
    return next((v for v in stream.header_values(header) if not value or value in v.lower()), "")
