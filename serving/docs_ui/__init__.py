"""The page at `/docs`: Swagger UI on the service's own OpenAPI document, without a request to any other host."""

from __future__ import annotations

import gzip
import hashlib
import html
from functools import cache
from pathlib import Path

from serving.messages import Request, Response

_ASSETS = Path(__file__).parent / "assets"
_PAGE = "/docs"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".png": "image/png"}
_COMPRESSED = ("swagger-ui-bundle.js", "swagger-ui.css")
_PLAIN = ("start.js", "page.css", "favicon-32x32.png")
_FILES = {f"{_PAGE}/{name}": name for name in (*_COMPRESSED, *_PLAIN)}
PATHS = frozenset((_PAGE, *_FILES))
"""Every path the page needs; all are open, as `/swagger.json` is."""

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # icons inside Swagger UI's style sheet
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_SAFE = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]
# The names have their content's digest as a query; a browser that has one need not ask again.
_FOR_EVER = ("Cache-Control", "public, max-age=31536000, immutable")
_REVALIDATE = ("Cache-Control", "no-cache")
_HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{service}</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png?{favicon}">
<link rel="stylesheet" href="docs/swagger-ui.css?{ui_css}">
<link rel="stylesheet" href="docs/page.css?{css}">
</head>
<body>
<div id="swagger-ui" data-auth="{auth}"></div>
<noscript>This page needs JavaScript. The service's description is at swagger.json?version=3.</noscript>
<script src="docs/swagger-ui-bundle.js?{bundle}"></script>
<script src="docs/start.js?{start}"></script>
</body>
</html>
"""


def answer(request: Request, service: str, *, auth: bool) -> Response:
    """The page, or one of its files; 304 when the client has it.

    Args:
        request: for one of `PATHS`.
        service: the service's name, for the title.
        auth: whether scoring needs a key.
    """
    if request.api_path == _PAGE:
        return _page(request, service, auth=auth)
    name = _FILES[request.api_path]
    headers = [("Content-Type", _TYPES[Path(name).suffix]), *_SAFE]
    # Only who asked for a certain content may keep it for ever; the bare name can mean another one tomorrow.
    headers.append(_FOR_EVER if request.target.endswith(f"?{_digest(name)}".encode()) else _REVALIDATE)
    tag = _digest(name)
    if name in _COMPRESSED:
        headers.append(("Vary", "Accept-Encoding"))
        body = _read(f"{name}.gz")
        if _takes_gzip(request.header(b"accept-encoding")):
            headers.append(("Content-Encoding", "gzip"))
            tag += "-gzip"
        else:
            body = gzip.decompress(body)
    else:
        body = _read(name)
    return _tagged(request, body, tag, headers)


def _page(request: Request, service: str, *, auth: bool) -> Response:
    text = _HTML.format(
        service=html.escape(service),
        auth=str(auth).lower(),
        favicon=_digest("favicon-32x32.png"),
        ui_css=_digest("swagger-ui.css"),
        css=_digest("page.css"),
        bundle=_digest("swagger-ui-bundle.js"),
        start=_digest("start.js"),
    )
    body = text.encode()
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", _POLICY),
        *_SAFE,
        _REVALIDATE,
    ]
    return _tagged(request, body, hashlib.sha256(body).hexdigest()[:16], headers)


def _tagged(request: Request, body: bytes, tag: str, headers: list[tuple[str, str]]) -> Response:
    headers.append(("ETag", f'"{tag}"'))
    known = [part.strip().removeprefix("W/") for part in request.header(b"if-none-match").split(",")]
    # A 304 carries the length of the body that it leaves out.
    return Response(304 if f'"{tag}"' in known or "*" in known else 200, body, headers)


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        coding, _, weight = part.replace(" ", "").partition(";q=")
        if coding in ("gzip", "*"):
            return weight.strip("0.") != "" or not weight
    return False


def _read(name: str) -> bytes:
    return (_ASSETS / name).read_bytes()


@cache
def _digest(name: str) -> str:
    """Of a file's content, in 16 hexadecimal digits."""
    return hashlib.sha256(_read(f"{name}.gz" if name in _COMPRESSED else name)).hexdigest()[:16]
