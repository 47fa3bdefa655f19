"""How callers show who they are."""

from typing import Any

from api.headers import KEY_HEADERS

ABOUT = "A virtual key of the gateway. While there are none the gateway is open."

SCHEMES: dict[str, dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": ABOUT},
    **{
        name: {"type": "apiKey", "in": "header", "name": name, "description": ABOUT}
        for name in KEY_HEADERS
        if name != "authorization"
    },
}
# Any one of them; and none, as long as the gateway is open.
ANY_OF_THEM: list[dict[str, list[str]]] = [{}]
ANY_OF_THEM[:0] = [{name: []} for name in SCHEMES]

# What a route that needs a key may answer: while there are none, to pages of other origins.
UNAUTHENTICATED, FORBIDDEN = 401, 403
