"""Lets schemathesis send the body of an import: lines of JSON, which it has no serializer for."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return value if isinstance(value, bytes) else str(value).encode()
