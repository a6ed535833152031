#!/usr/bin/env python3
"""Asks the vendors' own libraries whether they accept the signed requests that our tests accept, and refuse them with a bit flipped.

    python3 -m venv target/sdks && target/sdks/bin/pip install elevenlabs pynacl telnyx twilio
    target/sdks/bin/python deploy/dev/signatures.py elevenlabs telnyx twilio

and, because it wants an older twilio beside it,

    python3 -m venv target/signalwire && target/signalwire/bin/pip install signalwire
    target/signalwire/bin/python deploy/dev/signatures.py signalwire

Nothing leaves this machine. A signed request lies in shared/src/providers/fixtures/*_signed.json.
"""

import json
import pathlib
import sys
from importlib.metadata import version
from unittest import mock
from urllib.parse import parse_qs, parse_qsl

FIXTURES = pathlib.Path(__file__).parents[2] / "shared/src/providers/fixtures"
# The origin that the tests are reached at.
ORIGIN = "https://hooks.example.test"
# What we ask Twilio to do when a callback fails is a part of the URL that it may sign.
FRAGMENT = "#rc=3&rp=all"


def fixtures(name):
    return json.loads((FIXTURES / f"{name}_signed.json").read_text())


class Form(dict):
    """A form as web frameworks hand it to Twilio's validator."""

    def __init__(self, body):
        super().__init__(parse_qs(body, keep_blank_values=True))

    getlist = dict.__getitem__


def accepted(check, *arguments):
    """The libraries answer false, or raise."""
    try:
        return check(*arguments) is not False
    except Exception:  # each has an exception of its own
        return False


def by_twilio(request, body):
    from twilio.request_validator import RequestValidator

    url = ORIGIN + request["target"] + (FRAGMENT if "fragment" in request["name"] else "")
    form = "json" not in request["content_type"]
    params = Form(body) if form else body
    return RequestValidator(request["token"]).validate(url, params, request["signature"])


def by_signalwire(request, body):
    from signalwire.request_validator import RequestValidator

    url = ORIGIN + request["target"]
    form = "json" not in request["content_type"]
    params = dict(parse_qsl(body, keep_blank_values=True)) if form else body
    return RequestValidator(request["key"]).validate(url, params, request["signature"])


def by_telnyx(request, body):
    from telnyx.lib import verify_webhook_signature

    headers = {"telnyx-signature-ed25519": request["signature"], "telnyx-timestamp": request["timestamp"]}
    with mock.patch("time.time", lambda: int(request["timestamp"])):
        verify_webhook_signature(body, headers, request["public_key"])


def by_elevenlabs(request, body):
    from elevenlabs.client import ElevenLabs

    at = int(request["header"].split(",")[0].removeprefix("t="))
    with mock.patch("time.time", lambda: at):
        ElevenLabs(api_key="none").webhooks.construct_event(body, request["header"], request["secret"])


def flipped(body):
    """The body with the lowest bit of its middle character changed."""
    middle = len(body) // 2
    return body[:middle] + chr(ord(body[middle]) ^ 1) + body[middle + 1 :] if body else "x=1"


def requests_of(library):
    signed = fixtures(library)
    return [r | {"secret": signed["secret"]} for r in signed["requests"]] if library == "elevenlabs" else signed


CHECKS = {"elevenlabs": by_elevenlabs, "signalwire": by_signalwire, "telnyx": by_telnyx, "twilio": by_twilio}


def main():
    wrong = 0
    for library in sys.argv[1:] or CHECKS:
        check, requests = CHECKS[library], requests_of(library)
        for request in requests:
            good, bad = accepted(check, request, request["body"]), accepted(check, request, flipped(request["body"]))
            if not good or bad:
                wrong += 1
                print(f"WRONG {library}: {request.get('name', 'a request')}: accepted {good}, with a bit flipped {bad}")
        print(f"{library} {version(library)}: {len(requests)} requests")
    raise SystemExit(wrong != 0)


if __name__ == "__main__":
    main()
