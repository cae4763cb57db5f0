"""The main flow by the Python SDK that people use today, unchanged: an endpoint, a subscription, an event, its delivery, the
attempt, and the verification of what was received. Exits with an error at the first answer that is not as it must be.

Settings, from the environment: BASE_URI (of the project's routes), API_KEY, SINK (host:port to receive at)."""

import base64
import http.server
import json
import os
import threading
import time

from convoy import Convoy
from convoy.utils import webhook
from standardwebhooks import Webhook, WebhookVerificationError

SECRET = "the secret of the endpoint"
LIMIT_SECONDS = 30
received = []


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        received.append((dict(self.headers), self.rfile.read(length)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


def data(answer, status):
    body, code = answer
    assert code == status and body["status"] is True, f"expected {status}, got {code}: {body}"
    return body["data"]


def until(what, ask):
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        found = ask()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {LIMIT_SECONDS} s: {what}")


def main():
    host, port = os.environ["SINK"].split(":")
    server = http.server.ThreadingHTTPServer((host, int(port)), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    convoy = Convoy({"api_key": os.environ["API_KEY"], "uri": os.environ["BASE_URI"]})

    url = f"http://{os.environ['SINK']}/sdk"
    endpoint = data(
        convoy.endpoint.create(
            {}, {"name": "sdk", "url": url, "secret": SECRET, "advanced_signatures": False, "description": "by the SDK"}
        ),
        201,
    )
    assert endpoint["url"] == url and endpoint["status"] == "active", endpoint
    listed = data(convoy.endpoint.all({"perPage": 10}), 200)
    assert [one["uid"] for one in listed["content"]] == [endpoint["uid"]], listed
    changed = data(convoy.endpoint.update(endpoint["uid"], {}, {"name": "sdk 2", "url": url}), 202)
    assert changed["name"] == "sdk 2", changed

    subscription = data(
        convoy.subscription.create(
            {}, {"name": "all", "endpoint_id": endpoint["uid"], "filter_config": {"event_types": ["sdk.sent"]}}
        ),
        201,
    )
    assert data(convoy.subscription.find(subscription["uid"], {}), 200)["name"] == "all"

    event = {"endpoint_id": endpoint["uid"], "event_type": "sdk.sent", "data": {"event": "sent", "data": {"id": 1, "text": "grün"}}}
    data(convoy.event.create({}, event), 201)
    stored = until("the event is stored", lambda: data(convoy.event.all({}), 200)["content"])[0]
    assert stored["event_type"] == "sdk.sent" and stored["data"] == event["data"], stored
    assert data(convoy.event.find(stored["uid"], {}), 200)["uid"] == stored["uid"]

    def succeeded():
        found = data(convoy.event_delivery.all({"eventId": stored["uid"]}), 200)["content"]
        return found if found and found[0]["status"] == "Success" else None

    delivery = until("the delivery succeeds", succeeded)[0]
    assert data(convoy.event_delivery.find(delivery["uid"], {}), 200)["metadata"]["num_trials"] == 1
    attempts = data(convoy.delivery_attempt.all(delivery["uid"], {}), 200)
    assert len(attempts) == 1 and attempts[0]["http_status"].startswith("200"), attempts
    attempt = data(convoy.delivery_attempt.find(delivery["uid"], attempts[0]["uid"], {}), 200)
    assert attempt["response_data"] == "ok" and attempt["status"] is True, attempt
    refused, code = convoy.event_delivery.resend(delivery["uid"], {})
    assert code == 400 and refused["message"] == "event already sent", refused

    (headers, body), = received
    assert json.loads(body) == event["data"], body
    signature = headers["X-Convoy-Signature"]
    verifier = webhook.Webhook(SECRET)
    assert verifier.verify_signature(body.decode(), signature) is True
    assert verifier.verify_signature(body.decode() + " ", signature) is not True, "a changed body must not verify"

    # A secret that is no `whsec_…` is a key as it stands, of which the library wants the base64.
    standard = Webhook(base64.b64encode(SECRET.encode()).decode())
    assert standard.verify(body, {name.lower(): value for name, value in headers.items()}) == event["data"]
    try:
        standard.verify(body + b" ", {name.lower(): value for name, value in headers.items()})
        raise AssertionError("a changed body must not verify")
    except WebhookVerificationError:
        pass

    data(convoy.subscription.delete(subscription["uid"], {}, {}), 200)
    data(convoy.endpoint.delete(endpoint["uid"], {}, {}), 200)
    print("The SDK's main flow works.")


main()
