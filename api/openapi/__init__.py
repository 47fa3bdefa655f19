"""The service's own description, served at ``/openapi.json`` and ``/docs``."""

from api.openapi.document import build_openapi

__all__ = ["build_openapi"]
