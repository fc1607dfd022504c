"""The org's REST API: token endpoint and data API in one ASGI application."""

from leakwatch.sandbox.org.rest.app import build_app

__all__ = ["build_app"]
