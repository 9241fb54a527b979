"""How each library is told which tokens to take: the lines that advice quotes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssemedic.case import Case
from ssemedic.clues.framework import Server, framework_of
from ssemedic.clues.refused import Refusal


@dataclass(frozen=True)
class Checks:
    """The settings of one library: for key and algorithm, for the claims, and for clocks."""

    library: str
    key: str
    claims: str
    leeway: str


PYJWT = Checks(
    "PyJWT",
    'jwt.decode(token, key, algorithms=["{alg}"])',
    'jwt.decode(..., audience="...", issuer="...")',
    "jwt.decode(..., leeway=30)",
)
NODE = Checks(
    "jsonwebtoken",
    'jwt.verify(token, key, {{ algorithms: ["{alg}"] }})',
    'jwt.verify(token, key, { audience: "...", issuer: "..." })',
    "jwt.verify(token, key, { clockTolerance: 30 })",
)
RUST = Checks(
    "jsonwebtoken (Rust)",
    "decode::<Claims>(&token, &DecodingKey::{constructor}(..), &Validation::new(Algorithm::{alg}))",
    'validation.set_audience(&["..."]) and validation.set_issuer(&["..."])',
    "validation.leeway = 30",
)
SPRING = Checks(
    "Spring Security",
    "NimbusJwtDecoder.{builder} with the algorithm {alg}",
    "spring.security.oauth2.resourceserver.jwt.issuer-uri and .audiences",
    "new JwtTimestampValidator(Duration.ofSeconds(30))",
)
DOTNET = Checks(
    "ASP.NET",
    'TokenValidationParameters {{ IssuerSigningKey = ..., ValidAlgorithms = ["{alg}"] }}',
    "TokenValidationParameters { ValidAudience = ..., ValidIssuer = ... }",
    "TokenValidationParameters { ClockSkew = TimeSpan.FromSeconds(30) }",
)
GO = Checks(
    "golang-jwt",
    'jwt.Parse(token, keyfunc, jwt.WithValidMethods([]string{{"{alg}"}}))',
    'jwt.WithAudience("...") and jwt.WithIssuer("...")',
    "jwt.WithLeeway(30 * time.Second)",
)
NOTIFY = Checks(
    "notify",
    "NOTIFY_TOKEN_ALGORITHMS={alg} and NOTIFY_TOKEN_KEY_FILE (or NOTIFY_TOKEN_PUBLIC_KEY_FILE)",
    "NOTIFY_TOKEN_AUDIENCE, NOTIFY_TOKEN_ISSUER and NOTIFY_WORKSPACE_CLAIM",
    "NOTIFY_TOKEN_LEEWAY_SECONDS=30",
)

_BY_LIBRARY: Mapping[str, Checks] = {
    "PyJWT": PYJWT,
    "jsonwebtoken": NODE,
    "express-jwt": NODE,
    "jsonwebtoken (Rust)": RUST,
    "Spring Security": SPRING,
    "ASP.NET": DOTNET,
    "golang-jwt": GO,
    "notify": NOTIFY,
}
_BY_SERVER: Mapping[Server, Checks] = {
    **dict.fromkeys(
        (Server.UVICORN, Server.HYPERCORN, Server.DAPHNE, Server.GUNICORN, Server.PYTHON), PYJWT
    ),
    Server.NODE: NODE,
    Server.RUST: RUST,
    **dict.fromkeys((Server.JVM, Server.TOMCAT, Server.NETTY, Server.JETTY), SPRING),
    **dict.fromkeys((Server.KESTREL, Server.IIS), DOTNET),
    Server.GO: GO,
}


def checks_of(case: Case, refusal: Refusal | None) -> Checks | None:
    """The library that refused, by its own words, else by what the service runs on."""
    if refusal is not None and refusal.library in _BY_LIBRARY:
        return _BY_LIBRARY[refusal.library]
    return _BY_SERVER.get(framework_of(case).server)


def key_line(checks: Checks, algorithm: str) -> str:
    """The setting for the key and the algorithm that the token claims."""
    secret = algorithm.startswith("HS")
    return checks.key.format(
        alg=algorithm,
        constructor="from_secret" if secret else "from_rsa_pem",
        builder="withSecretKey(...)" if secret else "withPublicKey(...) or withJwkSetUri(...)",
    )
