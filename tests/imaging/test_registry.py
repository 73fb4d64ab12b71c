"""Asking a registry for a manifest, with every login that Docker and Azure know."""

import base64
import json

import pytest

from mldeploy.provider.azure import arm, registry_login
from mldeploy.provider.azure.registry import Reference, find_manifest
from mldeploy.provider.azure.registry_login import Login
from mldeploy.provider.framework.resource import ProvisionError
from tests.imaging import registry as registries


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    (tmp_path / "docker").mkdir()
    with registries.serve() as running:
        running.push("team/base", "1", "one")
        yield running


@pytest.fixture
def config(registry, tmp_path):
    def write(**parts):
        (tmp_path / "docker/config.json").write_text(json.dumps(parts))

    return write


def encoded(pair):
    return base64.b64encode(":".join(pair).encode()).decode()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("python:3.12-slim", ("registry-1.docker.io", "library/python", "3.12-slim")),
        ("python", ("registry-1.docker.io", "library/python", "latest")),
        ("docker.io/library/python:3.12", ("registry-1.docker.io", "library/python", "3.12")),
        ("team/base:1", ("registry-1.docker.io", "team/base", "1")),
        ("mcr.microsoft.com/azureml/minimal:1", ("mcr.microsoft.com", "azureml/minimal", "1")),
        ("127.0.0.1:5000/a/b", ("127.0.0.1:5000", "a/b", "latest")),
        ("localhost/a:2", ("localhost", "a", "2")),
        ("x.azurecr.io/a:2@sha256:ab", ("x.azurecr.io", "a", "sha256:ab")),
        ("x.azurecr.io/a@sha256:ab", ("x.azurecr.io", "a", "sha256:ab")),
    ],
)
def test_names_as_docker_reads_them(text, parts):
    found = Reference.parse(text)
    assert (found.server, found.repository, found.tag) == parts
    assert found.pinned == text.endswith("sha256:ab")


def test_a_tag_a_digest_and_neither(registry):
    found = find_manifest(registry.server, "team/base", "1")
    assert found == registries.digest("one")
    assert find_manifest(registry.server, "team/base", found) == found
    assert find_manifest(registry.server, "team/base", "2") is None


@pytest.mark.parametrize("auth", ["basic", "token"])
def test_a_user_name_and_password(registry, config, auth):
    registry.auth = auth
    with pytest.raises(ProvisionError, match=r"docker login|gave no token"):
        find_manifest(registry.server, "team/base", "1")
    given = Login(*registry.user)
    assert find_manifest(registry.server, "team/base", "1", given) == registries.digest("one")
    config(auths={registry.server: {"auth": encoded(registry.user)}})
    assert find_manifest(registry.server, "team/base", "1") == registries.digest("one")


def test_an_identity_token_as_az_acr_login_leaves_it(registry, config):
    registry.auth = "token"
    nobody = encoded(("00000000-0000-0000-0000-000000000000", ""))
    config(auths={registry.server: {"auth": nobody, "identitytoken": registry.identity_token}})
    assert find_manifest(registry.server, "team/base", "1") == registries.digest("one")
    assert "POST token" in registry.log


@pytest.mark.parametrize("user", ["<token>", "puller"])
def test_a_credential_helper(registry, config, tmp_path, monkeypatch, user):
    registry.auth = "token"
    secret = registry.identity_token if user == "<token>" else registry.user[1]
    helper = tmp_path / "docker-credential-vaulted"
    answer = json.dumps({"ServerURL": registry.server, "Username": user, "Secret": secret})
    helper.write_text(f'#!/bin/sh\nread server; [ "$server" = "{registry.server}" ] && echo \'{answer}\'\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    config(credHelpers={registry.server: "vaulted"})
    assert find_manifest(registry.server, "team/base", "1") == registries.digest("one")


def test_azure_exchanges_the_identitys_token(registry, config, monkeypatch):
    """Also where what `az acr login` left is no longer good: its token lasts for three hours."""
    registry.auth = "token"
    monkeypatch.setattr(registry_login, "is_azure", lambda server: True)
    scopes = []
    monkeypatch.setattr(arm, "token", lambda scope: (scopes.append(scope), "the-entra-token")[1])
    assert find_manifest(registry.server, "team/base", "1") == registries.digest("one")
    config(auths={registry.server: {"identitytoken": "too old"}})
    assert find_manifest(registry.server, "team/base", "1") == registries.digest("one")
    assert scopes == ["https://containerregistry.azure.net/.default"] * 2
    assert registry.log.count("POST exchange") == 2


def test_no_password_to_a_login_without_tls(registry, monkeypatch):
    """A registry that is reached over TLS must not send us elsewhere in clear."""
    registry.auth = "token"
    monkeypatch.setattr(registry_login, "scheme", lambda server: "https")
    with pytest.raises(ProvisionError, match="allowed: https://…"):
        find_manifest(registry.server, "team/base", "1", Login(*registry.user))
    assert "GET token" not in registry.log


def test_logins_never_show_themselves():
    shown = repr(Login("me", "s3cret-password", "t0ken"))
    assert "s3cret" not in shown
    assert "t0ken" not in shown
