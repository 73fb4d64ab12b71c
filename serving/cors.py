"""Cross-origin requests from browsers, for the origins in `AML_CORS_ORIGINS`."""

from __future__ import annotations

from serving.messages import Request


class Cors:
    """Which origins may call."""

    def __init__(self, setting: str) -> None:
        self._origins = [origin.strip() for origin in setting.split(",") if origin.strip()]

    def __bool__(self) -> bool:
        return bool(self._origins)

    def applied(self, request: Request, given: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """An answer's headers with these rules: two answers to one question would let no browser in at all."""
        own = self.headers(request)
        decided = {"access-control-allow-origin", *(name.lower() for name, _ in own)} - {"vary"}
        return [header for header in given if header[0].lower() not in decided] + own

    def headers(self, request: Request) -> list[tuple[str, str]]:
        """The headers that let the browser of an allowed origin use the answer."""
        if not self._origins:
            return []
        origin = request.header(b"origin")
        if not origin:
            allowed = [min(self._origins)]
        elif "*" in self._origins or origin.lower() in (o.lower() for o in self._origins):
            allowed = [origin]
        else:
            return []
        headers = [("Access-Control-Allow-Origin", value) for value in allowed]
        if is_preflight(request):
            asked = request.header(b"access-control-request-headers")
            if asked:
                names = sorted(name.strip() for name in asked.split(","))
                headers.append(("Access-Control-Allow-Headers", ", ".join(names)))
            headers.append(("Access-Control-Allow-Methods", "GET, POST"))
        if len(self._origins) > 1:
            headers.append(("Vary", "Origin"))
        return headers


def is_preflight(request: Request) -> bool:
    """Whether a browser only asks if it may."""
    return request.method == "OPTIONS" and b"access-control-request-method" in request.headers
