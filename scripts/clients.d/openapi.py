"""Validates /openapi.json with openapi-spec-validator."""

import json
import os
import urllib.request

from checks import check, finish
from openapi_spec_validator import validate


@check("openapi-spec-validator: /openapi.json")
def _():
    headers = {"Authorization": f"Bearer {os.environ['RAG_SERVE_TOKEN']}"}
    request = urllib.request.Request(os.environ["RAG_URL"] + "/openapi.json", headers=headers)
    with urllib.request.urlopen(request) as reply:
        validate(json.load(reply))


finish()
