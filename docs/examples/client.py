"""Score a deployed service from Python, with nothing but the standard library.

    python client.py http://127.0.0.1:8890/score --key-from KEY_VARIABLE --json '{"data": [[0.04, 0.05, ...]]}'
    python client.py http://127.0.0.1:8891/score --file golden/digit.png

The key is read from an environment variable, so that it stays out of the process list:

    KEY=$(mldeploy keys diabetes --show --json | python -c 'import json, sys; print(json.load(sys.stdin)["primary"])')
"""

import argparse
import json
import mimetypes
import os
import sys
import urllib.error
import urllib.request


def score(scoring_uri, body, content_type="application/json", key=None, timeout=60):
    """POST ``body`` (bytes) and return the decoded JSON answer.

    Raises:
        RuntimeError: the service answered with an error; the message has its status, request id and body.
    """
    headers = {"Content-Type": content_type}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(scoring_uri, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        request_id = error.headers.get("x-ms-request-id", "none")
        detail = error.read().decode(errors="replace")
        raise RuntimeError(f"HTTP {error.code} (request {request_id}): {detail}") from None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scoring_uri")
    parser.add_argument("--key-from", metavar="VARIABLE", help="environment variable that holds the key")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--json", help="a JSON document")
    what.add_argument("--file", help="a file, sent as it is")
    args = parser.parse_args()
    if args.json is not None:
        body, content_type = args.json.encode(), "application/json"
    else:
        with open(args.file, "rb") as file:
            body = file.read()
        content_type = mimetypes.guess_type(args.file)[0] or "application/octet-stream"
    key = os.environ[args.key_from] if args.key_from else None
    try:
        print(json.dumps(score(args.scoring_uri, body, content_type, key)))
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
