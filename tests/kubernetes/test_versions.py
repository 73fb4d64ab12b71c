"""What counts as a version of a service, when somebody else deletes objects."""

from __future__ import annotations

import pytest

from mldeploy.provider.framework.resource import ProvisionError
from mldeploy.provider.kubernetes.rollout import Rollout
from mldeploy.provider.kubernetes.sweep import Versions
from mldeploy.provider.kubernetes.versions import Service, ensure_ready, versions
from tests.kubernetes.fake_cluster import CANARY, KUBECONFIG
from tests.plain_values import Plain


def test_a_version_that_a_finalizer_holds_is_none(fake_cluster):
    fake_cluster.add_version("s", "good")
    fake_cluster.add_version("s", "held")
    fake_cluster.objects["Deployment", "s-held"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert set(versions(Service(fake_cluster, "models", "s"))) == {"good"}


def test_a_refresh_forgets_a_kept_version_that_is_gone(fake_cluster, ctx):
    for name in ("a", "b"):
        fake_cluster.add_version("s", name)
        inputs = {**CANARY, "version": name, "keep_previous": 1}
        _, state = Plain(Rollout()).create(ctx, inputs)
    assert state["kept"] == ["a"]
    outputs, _ = Plain(Rollout()).read(ctx, "models/s", state, inputs)
    assert outputs["kept"] == ["a"]
    fake_cluster.delete("Deployment", "models", "s-a")
    outputs, _ = Plain(Rollout()).read(ctx, "models/s", state, inputs)
    assert outputs["kept"] == []


def test_a_version_that_was_deleted_says_how_to_get_it_back(fake_cluster, ctx):
    with pytest.raises(ProvisionError, match=r"there are: none\. If it was deleted by hand"):
        ensure_ready(ctx, Service(fake_cluster, "models", "s"), "new", 1, None)


def test_a_service_that_was_never_routed_to_leaves_nothing(fake_cluster, ctx):
    fake_cluster.add_version("s", "failed")
    fake_cluster.add_version("other", "v")
    place = {"kubeconfig": KUBECONFIG, "namespace": "models", "service": "s"}
    ident, state = Plain(Versions()).create(ctx, place)
    Plain(Versions()).delete(ctx, ident, {**place, **state})
    assert {name for _, name in fake_cluster.objects} == {"other-v"}
    Plain(Versions()).delete(ctx, ident, {**place, **state})


def test_a_renewed_token_is_no_change_and_another_cluster_replaces(ctx):
    place = {"kubeconfig": KUBECONFIG, "namespace": "models", "service": "s"}
    renewed, moved = KUBECONFIG + "\n", KUBECONFIG.replace("one", "two")
    assert Plain(Versions()).diff(ctx, "models/s", {}, place, {**place, "kubeconfig": renewed}).details == {}
    assert Plain(Versions()).diff(ctx, "models/s", {}, place, {**place, "kubeconfig": moved}).replaces == {
        "kubeconfig"
    }
