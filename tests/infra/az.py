"""Stands in for the Azure CLI: the few commands of infra/consent.sh, against the sandbox's Microsoft Graph."""

import os
import ssl
import sys
import urllib.error
import urllib.request
from itertools import pairwise


def main(words: list[str]) -> int:
    """Answer as `az` would."""
    given = dict(pairwise(words))
    if words[:2] == ["cloud", "show"]:
        told = {"name": os.environ["CLOUD"], "endpoints.microsoftGraphResourceId": os.environ["GRAPH"]}
        sys.stdout.write(told.get(given["--query"], "https://login.example/"))
        return 0
    if words[:2] == ["account", "show"]:
        sys.stdout.write("b2d7c1a4-0000-4000-8000-000000000001")
        return 0
    if words[0] != "rest":
        sys.stderr.write(f"az {' '.join(words)} is not played here")
        return 2
    body = given.get("--body", "").encode() or None
    head = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/json"}
    request = urllib.request.Request(given["--url"], data=body, headers=head, method=given["--method"])  # noqa: S310
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=os.environ["CA"])) as answer:  # noqa: S310
            sys.stdout.write(answer.read().decode())
    except urllib.error.HTTPError as error:
        sys.stderr.write(error.read().decode())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
