"""/metrics, for a listener of its own that only this machine can reach."""

from prometheus_client import make_asgi_app
from starlette.types import ASGIApp

from ferrotype.metrics import REGISTRY


def build_metrics() -> ASGIApp:
    """Return the application that shows our counters to Prometheus."""
    app: ASGIApp = make_asgi_app(REGISTRY)
    return app
