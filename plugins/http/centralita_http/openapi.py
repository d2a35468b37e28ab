"""The OpenAPI document: what Litestar finds in the handlers, with who may call them and the form of every error.

Litestar describes an error by its own form, which nobody gets here, and knows nothing of the guard.
"""

from __future__ import annotations

from typing import Final

from litestar import Litestar
from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Reference,
    Schema,
    SecurityScheme,
)
from litestar.routes import HTTPRoute

from centralita_http.access import COOKIE

_ERROR: Final = Schema(
    type=OpenAPIType.OBJECT,
    properties={
        "code": Schema(type=OpenAPIType.STRING, description="For programs: one of docs/http.md's."),
        "message": Schema(
            type=OpenAPIType.STRING, description="For people: where, what was, what is allowed."
        ),
        "problems": Schema(
            type=OpenAPIType.ARRAY,
            items=Schema(type=OpenAPIType.STRING),
            description="Several faults of one configuration.",
        ),
    },
    required=["code", "message"],
)
_NAME: Final = "Error"
_TOKEN: Final[list[dict[str, list[str]]]] = [{"token": []}, {"cookie": []}]
_SCHEMES: Final = {
    "token": SecurityScheme(
        type="http", scheme="bearer", description="A token, as `centralita token` makes them."
    ),
    "cookie": SecurityScheme(
        type="apiKey", name=COOKIE, security_scheme_in="cookie", description="What `POST /api/session` sets."
    ),
}


def complete(app: Litestar) -> None:
    """Complete the document of an application before anybody asks for it."""
    document = app.openapi_schema
    components = document.components
    components.schemas[_NAME] = _ERROR
    components.security_schemes = {**_SCHEMES}
    for route in app.routes:
        item = (document.paths or {}).get(route.path_format)
        if item is not None and isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for method in handler.http_methods:
                    operation = getattr(item, str(method).lower(), None)
                    if isinstance(operation, Operation):
                        _complete(operation, role=handler.opt["role"])
    for plugin in app.plugins:
        # Litestar's own makes the document's dictionaries at the first question and keeps them: made here, while the
        # application is built, nobody waits for it then.
        if (provide := getattr(plugin, "provide_openapi_schema", None)) is not None:
            provide()


def _complete(operation: Operation, *, role: str) -> None:
    operation.security = [] if role in ("public", "metrics") else _TOKEN
    responses = operation.responses = {
        status: response for status, response in (operation.responses or {}).items() if status < "400"
    }
    responses["default"] = OpenAPIResponse(
        description="Any failure; docs/http.md has the codes by status."
        + ("" if role in ("public", "") else f" Role: {role}."),
        content={"application/json": OpenAPIMediaType(schema=Reference(ref=f"#/components/schemas/{_NAME}"))},
    )
