"""ImagePresence: the tag follows the base image, and a refresh tells whether the pushed image is still there."""

import pytest

from mldeploy.provider.azure.image_presence import ImagePresence
from mldeploy.provider.framework.resource import Context, ProvisionError
from tests.imaging import registry as registries
from tests.plain_values import Plain

TAG = "c" * 32


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with registries.serve() as running:
        yield running


class Presence:
    """One resource as an engine drives it: diff, then update where there is one."""

    def __init__(self, root, registry, **more):
        self.said = []
        self.ctx = Context(root=root, warn=self.said.append, info=self.said.append)
        self.inputs = {"server": registry.server, "repository": "p/i", "tag": TAG, **more}
        self.resource = Plain(ImagePresence())
        self.ident, outputs = self.resource.create(self.ctx, self.inputs)
        self.state = self.inputs | outputs

    def diff(self, **changes):
        news = self.inputs | changes
        return self.resource.diff(self.ctx, self.ident, self.state, self.inputs, news).details

    def up(self, **changes):
        """The changed paths."""
        found, news = self.diff(**changes), self.inputs | changes
        if found:
            made = self.resource.update(self.ctx, self.ident, self.state, self.inputs, news)
            self.state = news | made
        self.inputs = news
        return set(found)

    def refresh(self):
        """Whether it is still there."""
        found = self.resource.read(self.ctx, self.ident, self.state, self.inputs)
        self.state = None if found is None else found[0]
        return found is not None


@pytest.fixture
def presence(tmp_path, registry):
    return lambda **more: Presence(tmp_path, registry, **more)


def test_the_tag_follows_the_base_image(presence, registry):
    old = registry.push("team/base", "1", "old")
    image = presence(base_image=f"{registry.server}/team/base:1")
    first = image.state["image_tag"]
    assert image.state["base"] == f"{registry.server}/team/base:1@{old}"
    assert first != TAG
    assert image.up() == set()

    new = registry.push("team/base", "1", "new")
    assert image.diff() == {"base_digest": "update"}, "a base image that moved is in the plan"
    assert image.up() == {"base_digest"}
    assert image.state["base"].endswith(new)
    assert image.state["image_tag"] != first
    assert image.up() == set()
    # Content decides: the old base and the same context are the old tag again.
    registry.push("team/base", "1", "old")
    image.up()
    assert image.state["image_tag"] == first


def test_another_context_is_another_tag(presence, registry):
    registry.push("team/base", "1", "base")
    image = presence(base_image=f"{registry.server}/team/base:1")
    first = image.state["image_tag"]
    assert image.up(tag="d" * 32) == {"tag"}
    assert image.state["image_tag"] not in (first, "d" * 32)


def test_a_base_image_by_digest_is_never_asked_for(presence, registry):
    image = presence(base_image=f"{registry.server}/team/base@{registries.digest('x')}")
    assert image.state["image_tag"] == TAG
    assert image.up() == set()
    assert registry.log == []
    known = image.resource.preview(image.ctx, image.inputs)
    assert known["image_tag"] == TAG, "known before it is made"


def test_without_an_answer_the_last_digest_stands(presence, registry, monkeypatch):
    registry.push("team/base", "1", "base")
    image = presence(base_image=f"{registry.server}/team/base:1")
    before = dict(image.state)
    registry.auth = "basic"  # and nobody is logged in
    assert image.up() == set()
    assert f"{before['base_digest']} stands" in image.said[-1]
    assert f"docker login {registry.server}" in image.said[-1]
    # A new context is still built, on the base that is known.
    image.up(tag="d" * 32)
    assert image.state["base_digest"] == before["base_digest"]


def test_a_base_image_of_no_registry(presence, registry):
    image = presence(base_image=f"{registry.server}/only/local:1")
    assert (image.state["image_tag"], image.state["base"]) == (TAG, f"{registry.server}/only/local:1")
    assert "is in no registry that answers; it is not part of the tag" in image.said[-1]
    assert image.up() == set()


def test_a_private_base_registry_gets_its_own_login_and_no_other_one(presence, registry):
    registry.auth = "basic"
    made = registry.push("team/base", "1", "base")
    login = {"address": registry.server, "username": registry.user[0], "password": registry.user[1]}
    image = presence(base_image=f"{registry.server}/team/base:1", base_login=login)
    assert image.state["base_digest"] == made
    assert image.diff(base_login={**login, "password": "another"}) == {}, "a new password is no new image"
    elsewhere = presence(
        base_image=f"{registry.server}/team/base:1", base_login={**login, "address": "other.azurecr.io"}
    )
    assert elsewhere.state["base_digest"] == ""


def test_a_refresh_asks_for_what_was_pushed(presence, registry):
    image = presence()
    made = registry.push("p/i", image.state["image_tag"], "pushed")
    assert image.refresh()
    assert image.state["digest"] == made
    assert image.diff() == {}, "what the refresh found is no change"

    # Somebody moves the tag: services run the digest, which is still there.
    registry.push("p/i", TAG, "somebody else's")
    assert image.refresh()
    registry.purge("p/i", made)
    assert not image.refresh(), "the tag is there, the image is not"
    assert "is not in the registry any more: the next update pushes it again" in image.said[-1]


def test_a_new_tag_forgets_the_old_digest(presence, registry):
    image = presence()
    registry.push("p/i", TAG, "pushed")
    assert image.refresh()
    image.up(tag="d" * 32)
    assert image.state["digest"] == ""


def test_a_registry_that_does_not_answer_is_no_absence(presence, registry):
    image = presence()
    registry.auth = "basic"
    with pytest.raises(ProvisionError, match="docker login"):
        image.refresh()


def test_a_state_of_before_the_base_image_was_part_of_it(presence, registry):
    """An older project's stack goes on: one update, and then nothing."""
    registry.push("team/base", "1", "base")
    image = presence()
    for name in ("image_tag", "base", "base_digest", "digest"):
        del image.state[name]
    registry.push("p/i", TAG, "pushed")
    assert image.refresh()
    assert image.up(base_image=f"{registry.server}/team/base:1") == {"base_image"}
    assert image.up() == set()
