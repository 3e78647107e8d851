#!/usr/bin/env python3
"""Asks a gateway for a user's best items, then has the user forgotten and waits for the certificate.

    python3 cluster/examples/gateway.py http://127.0.0.1:8080 USER [ITEM …]

A token is read from LETHE_TOKEN. Nothing but Python's own library is used.
"""
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid


class Gateway:
    def __init__(self, url, token=None):
        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, path, body=None, attempts=5, **headers):
        """The reply's bytes. Who is asked to come back later comes back; other refusals are problems (RFC 9457)."""
        data = None if body is None else json.dumps(body).encode()
        headers = {**self.headers, **({"Content-Type": "application/json"} if data else {}), **headers}
        for attempt in range(attempts):
            try:
                with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=120) as reply:
                    return reply.read()
            except urllib.error.HTTPError as error:
                problem = json.load(error)
                if error.code not in (429, 503) or attempt + 1 == attempts:
                    raise SystemExit(f"{problem['type']}: {problem['detail']}") from None
                time.sleep(int(error.headers.get("Retry-After", 1)))

    def rank(self, user, candidates, top=3):
        body = {"user": user, "top": top, **({"candidates": candidates} if candidates else {})}
        return json.loads(self.call("/v1/rank", body))

    def forget(self, user):
        # One name for all attempts: whatever becomes of a connection, it is done once.
        key = str(uuid.uuid4())
        return json.loads(self.call("/v1/forget", {"user": user}, **{"Idempotency-Key": key}))["request"]

    def certificate(self, request, patience=600):
        """The signed statement, once every touched shard has a clean adapter."""
        place = urllib.parse.quote(request, safe="")
        end = time.monotonic() + patience
        while json.loads(self.call(f"/v1/requests/{place}"))["request"]["state"] != "finished":
            if time.monotonic() > end:
                raise SystemExit(f"request {request} was accepted, and is not finished yet")
            time.sleep(0.2)
        return self.call(f"/v1/certificates/{place}").decode()


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    gateway = Gateway(sys.argv[1], os.environ.get("LETHE_TOKEN"))
    user, candidates = sys.argv[2], sys.argv[3:]
    for item in gateway.rank(user, candidates)["items"]:
        print(f"{item['probability']:.3f}  {item['title']}")
    request = gateway.forget(user)
    print(f"forgotten as {request['request']}, due {request['due']}")
    print(gateway.certificate(request["request"]))


if __name__ == "__main__":
    main()
