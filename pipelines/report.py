"""Brings a report that mldeploy wrote in Markdown to where people look: one comment, or one issue, edited ever after.

    python pipelines/report.py comment preview.md        # on the pull request of this run (GitHub, Azure Repos)
    python pipelines/report.py issue drift.md "Drift in prod"     # GitHub: opened, or edited when it is open already
    python pipelines/report.py resolved drift.md         # ... and closed when there is nothing to say any more

What is edited is found by the hidden first line of the report, which names the stack. Standard library only; address
and token come from the variables that the forge gives its jobs.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

_PAGE = 100
_SECONDS = 30


class ReportError(Exception):
    """The report could not be brought there; the message says why."""


def variable(name: str) -> str:
    """A variable that the forge sets.

    Raises:
        ReportError: it does not.
    """
    value = os.environ.get(name)
    if not value:
        raise ReportError(f"{name} is not set; pass it to this step (see pipelines/README.md)")
    return value


class Forge:
    """A forge's REST API: JSON in, JSON out."""

    def __init__(self, base: str, token: str) -> None:
        self._base = base.rstrip("/")
        self._token = token

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request.

        Raises:
            ReportError: it was refused; the message holds the forge's own words.
        """
        request = urllib.request.Request(  # noqa: S310 (the forge's own address)
            f"{self._base}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as problem:
            said = problem.read(500).decode("utf-8", "replace")
            raise ReportError(f"{method} {path}: {problem.code} {problem.reason}: {said}") from None
        except urllib.error.URLError as problem:
            raise ReportError(f"{method} {path}: {problem.reason}") from None


class GitHub:
    """Comments of a pull request, and issues, of `GITHUB_REPOSITORY`."""

    def __init__(self) -> None:
        self._api = Forge(os.environ.get("GITHUB_API_URL", "https://api.github.com"), variable("GH_TOKEN"))
        self._here = f"repos/{variable('GITHUB_REPOSITORY')}"

    def comment(self, mark: str, text: str) -> None:
        """Write the comment, or edit the one that has the mark."""
        comments = f"{self._here}/issues/{variable('PULL_REQUEST')}/comments"
        for one in self._all(comments):
            if one["body"].startswith(mark):
                self._api.call("PATCH", f"{self._here}/issues/comments/{one['id']}", {"body": text})
                return
        self._api.call("POST", comments, {"body": text})

    def issue(self, mark: str, title: str, text: str) -> None:
        """Open the issue, or edit the open one that has the mark."""
        number = self._open_issue(mark)
        if number is None:
            self._api.call("POST", f"{self._here}/issues", {"title": title, "body": text})
        else:
            self._api.call("PATCH", f"{self._here}/issues/{number}", {"title": title, "body": text})

    def resolved(self, mark: str, text: str) -> None:
        """Close the open issue that has the mark, if there is one."""
        number = self._open_issue(mark)
        if number is not None:
            self._api.call("POST", f"{self._here}/issues/{number}/comments", {"body": text})
            self._api.call("PATCH", f"{self._here}/issues/{number}", {"state": "closed"})

    def _open_issue(self, mark: str) -> int | None:
        # A pull request is an issue, too, for this API.
        found = (one for one in self._all(f"{self._here}/issues?state=open") if "pull_request" not in one)
        return next((one["number"] for one in found if (one["body"] or "").startswith(mark)), None)

    def _all(self, path: str) -> Iterator[dict[str, Any]]:
        page, sign = 1, "&" if "?" in path else "?"
        while True:
            found: list[dict[str, Any]] = self._api.call("GET", f"{path}{sign}per_page={_PAGE}&page={page}")
            yield from found
            if len(found) < _PAGE:
                return
            page += 1


class AzureRepos:
    """Threads of a pull request in Azure Repos."""

    def __init__(self) -> None:
        collection, project = variable("SYSTEM_COLLECTIONURI"), quote(variable("SYSTEM_TEAMPROJECT"))
        self._api = Forge(f"{collection.rstrip('/')}/{project}/_apis", variable("SYSTEM_ACCESSTOKEN"))

    def comment(self, mark: str, text: str) -> None:
        """Write the comment, or edit the one that has the mark."""
        request = f"pullRequests/{variable('SYSTEM_PULLREQUEST_PULLREQUESTID')}"
        threads = f"git/repositories/{variable('BUILD_REPOSITORY_ID')}/{request}/threads"
        for thread in self._api.call("GET", f"{threads}?api-version=7.1")["value"]:
            for one in thread["comments"]:
                if (one.get("content") or "").startswith(mark):
                    path = f"{threads}/{thread['id']}/comments/{one['id']}?api-version=7.1"
                    self._api.call("PATCH", path, {"content": text})
                    return
        # A status that is not "active" does not stand in the way of completing the pull request.
        body = {"comments": [{"content": text, "commentType": "text"}], "status": "closed"}
        self._api.call("POST", f"{threads}?api-version=7.1", body)


def main(arguments: list[str]) -> int:
    """Bring a report; the process's exit code."""
    try:
        what, file, *title = arguments
        text = Path(file).read_text("utf-8")
        mark = text.partition("\n")[0]
        if not mark.startswith("<!--"):
            raise ReportError(f"{file}: its first line must be the hidden mark that mldeploy writes")
        azure = "SYSTEM_COLLECTIONURI" in os.environ
        if what == "comment":
            (AzureRepos() if azure else GitHub()).comment(mark, text)
        elif what == "issue" and title:
            GitHub().issue(mark, title[0], text)
        elif what == "resolved":
            GitHub().resolved(mark, text)
        else:
            raise ValueError
    except ValueError:
        print(__doc__, file=sys.stderr)
        return 2
    except (ReportError, OSError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
