"""The Docker configuration of one build: the user's own, with the login of the base image's registry."""

import base64
import json

import pytest

from mldeploy.provider.common.login import RegistryLogin
from mldeploy.provider.local.local_image import _log_in

LOGIN = RegistryLogin(address="base.example.org", username="puller", password="pull3r-password")


@pytest.fixture
def own(tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


def logged_in(tmp_path):
    folder = tmp_path / "build"
    folder.mkdir()
    return json.loads((_log_in(folder, LOGIN) / "config.json").read_text())


def test_the_login_is_the_one_that_docker_takes(own, tmp_path):
    """No helper is asked for that registry; those of others stay, as do other logins."""
    helpers = {"base.example.org": "ecr-login", "other.example.org": "gcloud"}
    kept = {"auths": {"third.example.org": {"auth": "eDp5"}}, "credHelpers": helpers, "credsStore": "desktop"}
    (own / "config.json").write_text(json.dumps(kept))
    config = logged_in(tmp_path)
    assert base64.b64decode(config["auths"]["base.example.org"]["auth"]) == b"puller:pull3r-password"
    assert config["auths"]["third.example.org"] == {"auth": "eDp5"}
    assert config["credHelpers"] == {"other.example.org": "gcloud"}
    assert "credsStore" not in config
    assert json.loads((own / "config.json").read_text()) == kept, "the user's own is left alone"


def test_a_builder_of_the_users_own_is_still_found(own, tmp_path):
    (own / "cli-plugins").mkdir()
    (own / "cli-plugins/docker-buildx").write_text("#!/bin/sh\n")
    assert logged_in(tmp_path)["auths"].keys() == {"base.example.org"}
    assert (tmp_path / "build/cli-plugins/docker-buildx").is_file()
