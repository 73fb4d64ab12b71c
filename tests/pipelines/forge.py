"""A forge for reports: comments and issues of GitHub, threads of Azure Repos, behind their REST paths.

Sources: GitHub's "REST API endpoints for issue comments" and "for issues" (pages of at most 100, pull requests among
the issues); Azure DevOps' "Pull Request Threads" 7.1.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections import defaultdict
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class Forge:
    """What is there, and how requests change it."""

    token = "of-this-run"

    def __init__(self) -> None:
        self.address = ""
        self.comments = defaultdict(list)
        self.issues = []
        self.threads = defaultdict(list)
        self._ids = itertools.count(1000)

    def answer(self, method, path, query, body):
        """Status and JSON of a request."""
        for wanted, pattern, act in self._routes():
            found = re.fullmatch(pattern, path)
            if found and wanted == method:
                return act(*found.groups(), query=query, body=body)
        return 404, {"message": f"Not Found: {method} {path}"}

    def _routes(self):
        here, azure = (
            "/repos/owner/repository/issues",
            r"/organisation/([^/]+)/_apis/git/repositories/(\w+)/pullRequests",
        )
        return [
            ("GET", rf"{here}/(\d+)/comments", self._list_comments),
            ("POST", rf"{here}/(\d+)/comments", self._add_comment),
            ("PATCH", rf"{here}/comments/(\d+)", self._edit_comment),
            ("GET", here, self._list_issues),
            ("POST", here, self._add_issue),
            ("PATCH", rf"{here}/(\d+)", self._edit_issue),
            ("GET", rf"{azure}/(\d+)/threads", self._list_threads),
            ("POST", rf"{azure}/(\d+)/threads", self._add_thread),
            ("PATCH", rf"{azure}/(\d+)/threads/(\d+)/comments/(\d+)", self._edit_thread),
        ]

    @staticmethod
    def _page(found, query):
        size, page = int(query.get("per_page", ["30"])[0]), int(query.get("page", ["1"])[0])
        assert size <= 100
        return 200, found[(page - 1) * size : page * size]

    def _list_comments(self, number, query, body):
        return self._page(self.comments[int(number)], query)

    def _add_comment(self, number, query, body):
        made = {"id": next(self._ids), **body}
        self.comments[int(number)].append(made)
        return 201, made

    def _edit_comment(self, ident, query, body):
        for its in self.comments.values():
            for one in its:
                if one["id"] == int(ident):
                    one.update(body)
                    return 200, one
        return 404, {"message": "Not Found"}

    def _list_issues(self, query, body):
        state = query.get("state", ["open"])[0]
        pulls = [{"number": 7, "state": "open", "body": None, "pull_request": {}}]
        return self._page([one for one in [*pulls, *self.issues] if one["state"] == state], query)

    def _add_issue(self, query, body):
        self.issues.append({"number": next(self._ids), "state": "open", **body})
        return 201, self.issues[-1]

    def _edit_issue(self, number, query, body):
        (found,) = [one for one in self.issues if one["number"] == int(number)]
        found.update(body)
        return 200, found

    def _list_threads(self, project, repository, number, query, body):
        return 200, {"value": self.threads[project, repository, int(number)]}

    def _add_thread(self, project, repository, number, query, body):
        for one in body["comments"]:
            one["id"] = next(self._ids)
        made = {"id": next(self._ids), **body}
        self.threads[project, repository, int(number)].append(made)
        return 200, made

    def _edit_thread(self, project, repository, number, thread, comment, query, body):
        for one in self.threads[project, repository, int(number)]:
            for its in one["comments"]:
                if (one["id"], its["id"]) == (int(thread), int(comment)):
                    its.update(body)
                    return 200, its
        return 404, {"message": "Not Found"}


@contextmanager
def serving_forge():
    """A forge that answers on a port of this machine."""
    forge = Forge()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self):
            parts = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            if self.headers.get("Authorization") != f"Bearer {forge.token}":
                status, found = 401, {"message": "Bad credentials"}
            else:
                status, found = forge.answer(self.command, unquote(parts.path), parse_qs(parts.query), body)
            text = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = _answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    forge.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield forge
    finally:
        server.shutdown()
        server.server_close()
