"""How libraries say why they refuse a token: PyJWT, jsonwebtoken, jose, Spring, ASP.NET, Go, Rust.

The wordings are those of the libraries' sources. ``reason`` is one of: signature, algorithm,
key, expired, early, audience, issuer, claim, permission, cookie, missing, malformed, other.
"""

# ruff: noqa: E501 - a table: one wording, one line
from __future__ import annotations

from .signature import Signature


def _auth(
    framework: str, name: str, needle: str, pattern: str, reason: str, info: bool = False
) -> Signature:
    return Signature("auth", framework, name, needle, pattern, reason, info)


#: The reference service, whose lines many look like: one key per fact.
_NOTIFY = (
    _auth("notify", "expired", "reason=expired", r"auth failed status=40[13] reason=expired", "expired"),
    _auth("notify", "not yet valid", "reason=not_yet", r"auth failed status=40[13] reason=not_yet_valid", "early"),
    _auth("notify", "signature", "reason=signature", r"auth failed status=40[13] reason=signature", "signature"),
    _auth("notify", "algorithm", "reason=algorithm", r"auth failed status=40[13] reason=algorithm", "algorithm"),
    _auth("notify", "key", "reason=key", r"auth failed status=40[13] reason=key\b", "key"),
    _auth("notify", "audience", "reason=audience", r"auth failed status=40[13] reason=audience", "audience"),
    _auth("notify", "issuer", "reason=issuer", r"auth failed status=40[13] reason=issuer", "issuer"),
    _auth("notify", "claim", "reason=missing_claim", r"auth failed status=40[13] reason=missing_claim", "claim"),
    _auth("notify", "workspace", "reason=workspace", r"auth failed status=40[13] reason=workspace", "permission"),
    _auth("notify", "no cookie", "reason=missing_cookie", r"auth failed status=40[13] reason=missing_cookie", "cookie"),
    _auth("notify", "no token", "reason=missing_token", r"auth failed status=40[13] reason=missing_token", "missing"),
    _auth("notify", "malformed", "reason=malformed", r"auth failed status=40[13] reason=malformed", "malformed"),
)  # fmt: skip

#: PyJWT (jwt/exceptions.py, jwt/api_jwt.py, jwt/algorithms.py) and python-jose, Authlib.
_PYTHON = (
    _auth("PyJWT", "signature", "ignature", r"InvalidSignatureError|Signature verification failed\b", "signature"),
    _auth("PyJWT", "expired", "xpired", r"\bExpiredSignatureError|ExpiredTokenError", "expired"),
    _auth("PyJWT", "expired", "has expired", r"(?i:signature|token) has expired\b", "expired"),
    _auth("PyJWT", "not yet valid", "not yet valid", r"The token is not yet valid \((?:nbf|iat)\)", "early"),
    _auth("PyJWT", "not yet valid", "ImmatureSignature", r"\bImmatureSignatureError", "early"),
    _auth("PyJWT", "audience", "udience", r"InvalidAudienceError|Audience doesn't match", "audience"),
    _auth("PyJWT", "issuer", "ssuer", r"InvalidIssuerError|WARN.{0,60}: Invalid issuer$", "issuer"),
    _auth("PyJWT", "claim", "claim", r"MissingRequiredClaimError|Token is missing the \"\w+\" claim", "claim"),
    _auth("PyJWT", "algorithm", "alg", r"InvalidAlgorithmError|The specified alg value is not allowed|Algorithm not supported", "algorithm"),
    _auth("PyJWT", "key", "key", r"InvalidKeyError|Could not (?:parse the provided public key|deserialize key data)|The specified key is an asymmetric key or x509 certificate and should not be used as an HMAC secret|Expecting a PEM-formatted key", "key"),
    _auth("PyJWT", "key", "signing key", r"Unable to find a signing key that matches", "key"),
    _auth("PyJWT", "malformed", "segments", r"DecodeError: Not enough segments|: Not enough segments$", "malformed"),
    _auth("python-jose", "signature", "JWT", r"jose\.exceptions\.\w+: (?:Signature verification failed|Invalid crypto padding)", "signature"),
    _auth("python-jose", "audience", "JWTClaimsError", r"JWTClaimsError: Invalid audience", "audience"),
    _auth("Authlib", "claim", "laim", r"authlib\..{0,60}(?:MissingClaimError|InvalidClaimError)", "claim"),
    _auth("Django REST framework", "token refused", "token_not_valid", r"token_not_valid|Given token not valid for any token type", "other"),
    _auth("Django REST framework", "no token", "credentials were not", r"Authentication credentials were not provided", "missing"),
)  # fmt: skip

#: jsonwebtoken (index.js, verify.js), jose for node, express-jwt, passport-jwt.
_NODE = (
    _auth("jsonwebtoken", "signature", "invalid signature", r"JsonWebTokenError: invalid signature", "signature"),
    _auth("jsonwebtoken", "algorithm", "invalid algorithm", r"JsonWebTokenError: invalid algorithm", "algorithm"),
    _auth("jsonwebtoken", "key", "must be", r"secretOrPublicKey must (?:have|be)|secretOrPrivateKey must|secret or public key must be provided", "key"),
    _auth("jsonwebtoken", "expired", "jwt expired", r"(?:TokenExpiredError: |: )jwt expired", "expired"),
    _auth("jsonwebtoken", "not yet valid", "jwt not active", r"(?:NotBeforeError: |: )jwt not active", "early"),
    _auth("jsonwebtoken", "audience", "jwt audience", r"jwt audience invalid\. expected:", "audience"),
    _auth("jsonwebtoken", "issuer", "jwt issuer", r"jwt issuer invalid\. expected:", "issuer"),
    _auth("jsonwebtoken", "no token", "jwt must be", r"JsonWebTokenError: jwt must be provided", "missing"),
    _auth("jsonwebtoken", "malformed", "rror: ", r"JsonWebTokenError: (?:jwt malformed|invalid token|jwt must be a string)", "malformed"),
    _auth("express-jwt", "no token", "authorization token", r"UnauthorizedError: No authorization token was found", "missing"),
    _auth("express-jwt", "permission", "ermission", r"UnauthorizedError: Permission denied|: Insufficient (?:permission|scope)", "permission"),
    _auth("jose", "signature", "JWS", r"JWSSignatureVerificationFailed", "signature"),
    _auth("jose", "key", "JWKS", r"JWKSNoMatchingKey|no applicable key found in the JSON Web Key Set", "key"),
    _auth("jose", "expired", "JWTExpired", r"JWTExpired: ", "expired"),
    _auth("jose", "audience", "\"aud\" claim", r"unexpected \"aud\" claim value", "audience"),
    _auth("jose", "issuer", "\"iss\" claim", r"unexpected \"iss\" claim value", "issuer"),
    _auth("jose", "claim", "\" claim", r"missing required \"\w+\" claim", "claim"),
    _auth("jose", "not yet valid", "\" claim", r"\"(?:nbf|iat)\" claim timestamp check failed", "early"),
    _auth("jose", "algorithm", "JOSEAlgNotAllowed", r"JOSEAlgNotAllowed", "algorithm"),
    _auth("express-session", "no cookie", "session", r"(?:Error|error|failed|denied|401)\b.{0,60}\b(?:no|missing|without a?) ?session(?: cookie)?\b", "cookie"),
)  # fmt: skip

#: Rust: jsonwebtoken (errors.rs, ErrorKind).
_RUST = (
    _auth("jsonwebtoken (Rust)", "signature", "InvalidSignature", r"\bInvalidSignature\b(?!Error)", "signature"),
    _auth("jsonwebtoken (Rust)", "expired", "xpiredSignature", r"\bExpiredSignature\b(?!Error)", "expired"),
    _auth("jsonwebtoken (Rust)", "not yet valid", "ImmatureSignature", r"\bImmatureSignature\b(?!Error)", "early"),
    _auth("jsonwebtoken (Rust)", "audience", "InvalidAudience", r"\bInvalidAudience\b(?!Error)", "audience"),
    _auth("jsonwebtoken (Rust)", "issuer", "InvalidIssuer", r"\bInvalidIssuer\b(?!Error)", "issuer"),
    _auth("jsonwebtoken (Rust)", "algorithm", "InvalidAlgorithm", r"\bInvalidAlgorithm(?:Name)?\b(?!Error)", "algorithm"),
    _auth("jsonwebtoken (Rust)", "key", "Invalid", r"\bInvalid(?:RsaKey|EcdsaKey|EddsaKey|KeyFormat)\b", "key"),
    _auth("jsonwebtoken (Rust)", "claim", "MissingRequiredClaim", r"\bMissingRequiredClaim\(", "claim"),
)  # fmt: skip

#: Spring Security (NimbusJwtDecoder, JwtTimestampValidator, JwtClaimValidator), jjwt.
_JAVA = (
    _auth("Spring Security", "signature", "ignature", r"Signed JWT rejected: Invalid signature", "signature"),
    _auth("Spring Security", "key", "Signed JWT", r"Signed JWT rejected: Another algorithm expected, or no matching key", "key"),
    _auth("Spring Security", "expired", "Jwt expired", r"Jwt expired at ", "expired"),
    _auth("Spring Security", "not yet valid", "Jwt used before", r"Jwt used before ", "early"),
    _auth("Spring Security", "audience", "aud claim", r"[Tt]h(?:e|is) aud claim is not ", "audience"),
    _auth("Spring Security", "issuer", "iss claim", r"[Tt]h(?:e|is) iss claim is not ", "issuer"),
    _auth("Spring Security", "permission", "ccess", r"AccessDeniedException: Access (?:is )?[Dd]enied|error=\"insufficient_scope\"", "permission"),
    _auth("jjwt", "signature", "ignature", r"JWT signature does not match locally computed signature|\.security\.SignatureException", "signature"),
    _auth("jjwt", "expired", "JWT expired", r"ExpiredJwtException|JWT expired (?:at |\d+ milliseconds)", "expired"),
    _auth("jjwt", "not yet valid", "JWT", r"PrematureJwtException", "early"),
    _auth("jjwt", "algorithm", "JWT", r"UnsupportedJwtException", "algorithm"),
)  # fmt: skip

#: Microsoft.IdentityModel (LogMessages.cs): the numbers are stable, the sentences are not.
#: JwtBearerHandler tells a refusal at level info.
_DOTNET = (
    _auth("ASP.NET", "signature", "IDX105", r"IDX1051[1-4]: ", "signature", True),
    _auth("ASP.NET", "key", "IDX105", r"IDX105(?:0[0-3]|1[6-8]): ", "key", True),
    _auth("ASP.NET", "expired", "IDX10223", r"IDX10223: ", "expired", True),
    _auth("ASP.NET", "not yet valid", "IDX10222", r"IDX10222: ", "early", True),
    _auth("ASP.NET", "audience", "IDX1020", r"IDX1020[678]: ", "audience", True),
    _auth("ASP.NET", "audience", "IDX10214", r"IDX10214: ", "audience", True),
    _auth("ASP.NET", "issuer", "IDX102", r"IDX102(?:0[45]|1[01]): ", "issuer", True),
    _auth("ASP.NET", "algorithm", "IDX10696", r"IDX10696: ", "algorithm", True),
    _auth("ASP.NET", "permission", "Authorization failed", r"Authorization failed\. These requirements were not met", "permission", True),
)  # fmt: skip

#: golang-jwt (errors.go), v3 to v5, and go-jose.
_GO = (
    _auth("golang-jwt", "algorithm", "signing method", r"signing method \S{1,20} is invalid|unexpected signing method", "algorithm"),
    _auth("golang-jwt", "signature", "signature is invalid", r"token signature is invalid|: signature is invalid", "signature"),
    _auth("golang-jwt", "signature", "verification error", r"crypto/(?:rsa|ecdsa|ed25519): verification error", "signature"),
    _auth("golang-jwt", "expired", "xpired", r"token is expired|Token is expired", "expired"),
    _auth("golang-jwt", "not yet valid", "token", r"token (?:is not valid yet|used before issued)|Token (?:is not valid yet|used before issued)", "early"),
    _auth("golang-jwt", "audience", "invalid audience", r"token has invalid audience", "audience"),
    _auth("golang-jwt", "issuer", "invalid issuer", r"token has invalid issuer", "issuer"),
    _auth("golang-jwt", "claim", "required claim", r"token is missing required claim", "claim"),
    _auth("golang-jwt", "key", "key is ", r"key is (?:of invalid type|invalid)\b", "key"),
    _auth("golang-jwt", "malformed", "malformed", r"token is malformed", "malformed"),
)  # fmt: skip

#: What a program of any make writes; tried after all others.
_PLAIN = (
    _auth("any", "token refused", "auth failed", r"\bauth failed\b", "other"),
    _auth("any", "signature", "signature", r"\b(?i:invalid|bad|wrong) (?:jwt |token )?signature\b", "signature"),
    _auth("any", "audience", "udience", r"\b(?i:invalid|bad|wrong|unexpected) audience\b|\baudience mismatch\b", "audience"),
    _auth("any", "issuer", "ssuer", r"\b(?i:invalid|bad|wrong|unexpected|unknown) issuer\b|\bissuer mismatch\b", "issuer"),
    _auth("any", "expired", "xpired", r"\b(?i:token|jwt|session)(?: has)? expired\b", "expired"),
    _auth("any", "cookie", "cookie", r"\b(?i:missing|no|invalid) (?:session |auth )?cookie\b", "cookie"),
    _auth("any", "workspace", "workspace", r"\b(?:not a member of|no access to|no permission for|missing|no) (?:the )?(?:workspace|tenant)\b", "permission"),
    _auth("any", "token refused", "nvalid", r"\b(?i:invalid|bad) (?:access |bearer |auth )?token\b", "other"),
    _auth("any", "authentication failed", "ailed", r"\b(?i:authentication|authorization|login) failed\b", "other"),
    _auth("uvicorn", "401", "401 Unauthorized", r"\"(?:GET|POST) \S{1,4000} HTTP/[\d.]+\" 401 Unauthorized", "other", True),
)  # fmt: skip

SIGNATURES = (*_NOTIFY, *_PYTHON, *_NODE, *_RUST, *_JAVA, *_DOTNET, *_GO, *_PLAIN)
