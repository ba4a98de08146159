"""Publishes customers over HTTP, with nothing but Python's own library.

CUSTSYNC_URL    where publisher serve listens, such as http://127.0.0.1:8090
CUSTSYNC_TOKEN  the shop's token
"""

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

CUSTOMERS = os.environ["CUSTSYNC_URL"] + "/v1/shops/acme/customers"


def call(method, url, body=None, kind="application/json"):
    """Sends until the event is stored (202), or is refused for good.

    To send it again is safe: give customers a version, and nothing is done twice.
    """
    headers = {"Authorization": "Bearer " + os.environ["CUSTSYNC_TOKEN"], "Content-Type": kind}
    for attempt in range(6):
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            if refusal.code not in (408, 429, 500, 502, 503, 504) or attempt == 5:
                raise RuntimeError(f"{refusal.code}: {refusal.read().decode()}") from refusal
            wait = float(refusal.headers.get("Retry-After", 2**attempt))
        except OSError:
            if attempt == 5:
                raise
            wait = 2**attempt
        time.sleep(wait)


def publish(customer):
    return call("POST", CUSTOMERS, json.dumps(customer).encode())


def publish_many(customers):
    """One a line. Returns what was not stored, with the line's number and the reason."""
    lines = "".join(json.dumps(c) + "\n" for c in customers)
    _, answer = call("POST", CUSTOMERS, lines.encode(), "application/x-ndjson")
    results = [json.loads(line) for line in answer.splitlines()]
    return [r for r in results if r["status"] != 202]


def delete(customer_id, version):
    return call("DELETE", f"{CUSTOMERS}/{urllib.parse.quote(customer_id, safe='')}?version={version}")


if __name__ == "__main__":
    # The whole state. What is left out is left alone, None clears.
    print(*publish({"id": "python-1", "version": 1, "email": "ada@example.com", "phone": None}))
    refused = publish_many(
        [{"id": "python-2", "version": 1, "first_name": "Ольга"}, {"id": "python-3", "version": 1, "vip": True}]
    )
    print("refused:", refused)
    print(*delete("python-3", 2))
