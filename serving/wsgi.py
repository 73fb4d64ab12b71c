"""What raw scripts' request object is made of: Flask's where the environment has Flask, else Werkzeug's alike."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.routing import Rule
from werkzeug.wrappers import Request as WerkzeugRequest

from serving.messages import Request

flask: Any
try:
    flask = importlib.import_module("flask")
except ImportError:
    flask = None

_BLUEPRINT, _VIEW = "main", "handle_score"
_SECURE = ((b"x-forwarded-proto", "https"), (b"x-forwarded-protocol", "ssl"), (b"x-forwarded-ssl", "on"))


class RoutedRequest(WerkzeugRequest):
    """Werkzeug's request with what Flask adds: where Microsoft's server would have routed it."""

    routing_exception = None

    @property
    def endpoint(self) -> str:
        """The route's name."""
        return f"{_BLUEPRINT}.{_VIEW}"

    @property
    def blueprint(self) -> str:
        """The first part of that name."""
        return _BLUEPRINT

    @property
    def blueprints(self) -> list[str]:
        """All of them."""
        return [_BLUEPRINT]

    @functools.cached_property
    def url_rule(self) -> Rule:
        """The route."""
        return Rule(self.path, endpoint=self.endpoint)

    @property
    def view_args(self) -> dict[str, Any]:
        """A route without variables."""
        return {}


if TYPE_CHECKING:
    Base = WerkzeugRequest
else:
    Base = RoutedRequest if flask is None else flask.Request


def in_context(run: Callable[..., object], name: str, kind: type[Any]) -> Callable[..., object]:
    """`run()` as a view of a Flask application, so that `flask.request` is its request; itself without Flask."""
    if flask is None:
        return run
    app: Any = flask.Flask(_BLUEPRINT)
    app.request_class = kind
    routes: Any = flask.Blueprint(_BLUEPRINT, __name__)
    for path in ("/score", f"/api/v1/service/{os.environ.get('SERVICE_NAME', 'service')}/score"):
        routes.add_url_rule(path, _VIEW, methods=["GET", "POST", "OPTIONS"], provide_automatic_options=False)
    app.register_blueprint(routes)

    @functools.wraps(run)
    def call(**arguments: Any) -> object:
        with app.request_context(arguments[name].environ):
            arguments[name] = flask.request._get_current_object()
            return run(**arguments)

    return call


def scheme(request: Request, environ: Mapping[str, str] = os.environ) -> str:
    """`https` also behind a proxy that says so, if `FORWARDED_ALLOW_IPS` has it (as with gunicorn: local ones)."""
    trusted = environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1").split(",")
    if request.private or "*" in trusted or request.peer in [address.strip() for address in trusted]:
        said = [request.header(name).lower() == value for name, value in _SECURE]
        return "https" if any(said) else request.scheme
    return request.scheme
