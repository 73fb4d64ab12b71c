"""Kubeconfigs as values: one context, nothing of this machine in it."""

from __future__ import annotations

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import urllib3
import yaml

from components.kubernetes.kubeconfig import KubeconfigError, load, with_kubelogin
from mldeploy.provider.kubernetes.client import Cluster, ClusterError, path_of, server_of

TWO = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "one",
    "clusters": [
        {"name": "c1", "cluster": {"server": "https://one:6443", "certificate-authority": "ca.crt"}},
        {"name": "c2", "cluster": {"server": "https://two:6443"}},
    ],
    "users": [
        {"name": "u1", "user": {"tokenFile": "token"}},
        {"name": "u2", "user": {"token": "other-secret"}},
    ],
    "contexts": [
        {"name": "one", "context": {"cluster": "c1", "user": "u1", "namespace": "mine"}},
        {"name": "two", "context": {"cluster": "c2", "user": "u2"}},
    ],
}


@pytest.fixture
def file(tmp_path):
    (tmp_path / "ca.crt").write_text("CERTIFICATE")
    (tmp_path / "token").write_text("the-token\n")
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(TWO))
    return path


def test_files_are_embedded_and_other_contexts_left_out(file, tmp_path):
    text = load(str(file), None)
    found = yaml.safe_load(text)
    assert found["clusters"][0]["cluster"] == {
        "server": "https://one:6443",
        "certificate-authority-data": base64.b64encode(b"CERTIFICATE").decode(),
    }
    assert found["users"][0]["user"] == {"token": "the-token"}
    assert "other-secret" not in text
    assert str(tmp_path) not in text
    assert server_of(text) == "https://one:6443"


def test_it_is_the_same_from_every_folder(file, tmp_path):
    other = tmp_path / "copy"
    other.mkdir()
    for name in ("config", "ca.crt", "token"):
        (other / name).write_text((tmp_path / name).read_text())
    assert load(str(file), "one") == load(str(other / "config"), None)


def test_a_context_by_name(file):
    assert server_of(load(str(file), "two")) == "https://two:6443"


def test_text_instead_of_a_path():
    text = yaml.safe_dump({**TWO, "current-context": "two"})
    assert server_of(load(text, None)) == "https://two:6443"


def test_several_files_are_merged_like_kubectl_does(file, tmp_path):
    second = tmp_path / "second"
    second.write_text(yaml.safe_dump({**TWO, "current-context": "two"}))
    assert server_of(load(f"{file}:{second}", None)) == "https://one:6443"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("/nowhere/config", "No such file"),
        ("a: [\n", "no YAML"),
        ("- a\n- b\n", "expected an object, found list"),
        ("clusters: []\nkind: Config\n", "no context ''; it has: none"),
        ("contexts: foo\n", "contexts are no list"),
        ("contexts:\n- foo\n", "contexts have an entry without a name"),
        ("contexts:\n- context: {}\n", "contexts have an entry without a name"),
        ("contexts:\n- {name: c, context: foo}\n", "context of 'c' is no object"),
        ("\0", "neither a path of a text file nor YAML"),
    ],
)
def test_what_cannot_be_used_is_said(text, message):
    with pytest.raises(KubeconfigError, match=message):
        load(text, None)


def test_a_text_that_is_no_yaml_is_not_repeated():
    with pytest.raises(KubeconfigError, match="line 2, column 27") as caught:
        load("users:\n- user: {token: the-secret: x\n", None)
    assert "the-secret" not in str(caught.value)


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "config").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KubeconfigError, match="neither a path of a text file nor YAML"):
        load(str(tmp_path / "config"), None)


def test_a_missing_context_names_those_there_are(file):
    with pytest.raises(KubeconfigError, match="no context 'three'; it has: one, two"):
        load(str(file), "three")


def test_a_missing_file_is_named(file, tmp_path):
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(KubeconfigError, match=r"certificate-authority .*ca.crt: No such file"):
        load(str(file), None)


def test_entra_clusters_log_in_with_kubelogin():
    text = yaml.safe_dump({**TWO, "users": [{"name": "u1", "user": {"auth-provider": {"name": "azure"}}}]})
    user = yaml.safe_load(with_kubelogin(text))["users"][0]["user"]
    assert user["exec"]["command"] == "kubelogin"
    assert "token" not in user


def test_local_accounts_keep_their_certificate():
    user = {"client-certificate-data": "x", "client-key-data": "y", "token": "z"}
    text = yaml.safe_dump({**TWO, "users": [{"name": "u1", "user": user}]})
    assert yaml.safe_load(with_kubelogin(text))["users"][0]["user"] == user


def test_a_client_says_what_is_wrong_with_its_kubeconfig():
    with pytest.raises(ClusterError, match="cannot be used"):
        Cluster("kind: Config\n")


def test_credentials_of_a_program_that_is_not_there_name_it():
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "no-such-login"}
    plugin["installHint"] = "install it from there"
    text = yaml.safe_dump(
        {**TWO, "current-context": "two", "users": [{"name": "u2", "user": {"exec": plugin}}]}
    )
    with pytest.raises(ClusterError, match="'no-such-login', which is not on PATH; install it from there"):
        Cluster(text)


def test_a_certificate_that_is_no_base64():
    cluster = {"server": "https://two:6443", "certificate-authority-data": "!!!notbase64"}
    text = yaml.safe_dump({**TWO, "current-context": "two", "clusters": [{"name": "c2", "cluster": cluster}]})
    with pytest.raises(ClusterError, match="cannot be used"):
        Cluster(text)


def test_an_api_server_that_is_away_is_named(monkeypatch):
    monkeypatch.setattr("mldeploy.provider.kubernetes.client._RETRIES", 0)
    text = yaml.safe_dump({**TWO, "current-context": "two"}).replace(
        "https://two:6443", "https://127.0.0.1:1"
    )
    with pytest.raises(
        ClusterError, match=r"the API server https://127\.0\.0\.1:1 cannot be reached"
    ) as caught:
        Cluster(load(text, None)).get("Pod", "models", "x")
    assert "other-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Pod", "/api/v1/namespaces/models/pods/x"),
        ("HTTPRoute", "/apis/gateway.networking.k8s.io/v1/namespaces/models/httproutes/x"),
        ("Gateway", "/apis/gateway.networking.k8s.io/v1/namespaces/models/gateways/x"),
        ("Namespace", "/api/v1/namespaces/x"),
    ],
)
def test_paths(kind, path):
    assert path_of(kind, "models", "x") == path


@pytest.fixture
def api():
    """An API server's stand-in; yields its URL and the credentials that requests came with."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format, *args):
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
        server.shutdown()


@pytest.mark.parametrize(("until", "tokens"), [("2020-01-01T00:00:00Z", 3), ("2999-01-01T00:00:00Z", 1)])
def test_a_token_of_a_program_is_renewed_when_it_has_expired(api, tmp_path, until, tokens):
    """A canary that bakes for hours outlives a token of an hour."""
    url, seen = api
    count = tmp_path / "count"
    answer = (
        '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
        f'"status": {{"token": "t\'$(wc -l < {count})\'", "expirationTimestamp": "{until}"}}}}'
    )
    login = tmp_path / "login"
    login.write_text(f"#!/bin/sh\necho >> {count}\necho '{answer}'\n")
    login.chmod(0o700)
    program = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(login)}
    cluster = Cluster(one_user(url, {"exec": {**program, "interactiveMode": "Never"}}))
    for _ in range(2):
        cluster.request("GET", "/version")
    assert len(set(seen)) == min(tokens, 2)
    assert len(count.read_text().splitlines()) == tokens


def test_a_fixed_token_is_sent_as_it_is(api):
    url, seen = api
    Cluster(one_user(url, {"token": "fixed"})).request("GET", "/version")
    assert seen == ["Bearer fixed"]


def one_user(url, user):
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": url}}],
        "users": [{"name": "x", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
    return yaml.safe_dump(document)


class TestAnswersOfOtherServers:
    """A proxy, a wrong port, a login that ran out."""

    @pytest.fixture
    def answers(self, monkeypatch):
        monkeypatch.setattr("mldeploy.provider.kubernetes.client._RETRIES", 0)
        cluster = Cluster(one_user("http://127.0.0.1:1", {"token": "fixed"}))

        def script(status, body):
            reply = SimpleNamespace(
                status=status, data=body, headers={}, stream=breaks, release_conn=lambda: None
            )
            monkeypatch.setattr(cluster, "_send", lambda *_args, **_options: reply)
            return cluster

        def breaks(size):
            yield b"a line\nhalf"
            raise urllib3.exceptions.ProtocolError("Connection broken")

        return script

    def test_a_page_is_no_api(self, answers):
        with pytest.raises(ClusterError, match="does not answer /version as a Kubernetes API server"):
            answers(200, b"<html>sign in</html>").request("GET", "/version")

    def test_refused_credentials_say_what_to_do(self, answers):
        body = b'{"kind": "Status", "reason": "Unauthorized", "message": "Unauthorized"}'
        with pytest.raises(ClusterError, match="credentials are not accepted: expired"):
            answers(401, body).request("GET", "/version")

    def test_a_log_that_breaks_off(self, answers):
        lines = answers(200, b"").logs("models", "pod-1", follow=True)
        assert next(lines) == "a line"
        with pytest.raises(ClusterError, match="the log of pod-1 ended: the connection was lost"):
            next(lines)
