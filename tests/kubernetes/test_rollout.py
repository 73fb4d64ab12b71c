"""What a rollout decides, against a cluster in memory."""

from __future__ import annotations

import threading

import pytest

from mldeploy.provider.framework.resource import CheckError, Context, ProvisionError
from mldeploy.provider.kubernetes.rollout import Rollout
from tests.kubernetes.fake_cluster import BASE, CANARY, KUBECONFIG, first
from tests.plain_values import Plain


@pytest.fixture
def cluster(fake_cluster):
    """The one in memory instead of the running one."""
    return fake_cluster


class TestFirstRollout:
    def test_takes_all_traffic_at_once(self, cluster, ctx):
        cluster.add_version("s", "new")
        ident, outputs = Plain(Rollout()).create(ctx, CANARY)
        assert ident == "models/s"
        assert cluster.history == [{"new": 100}]
        assert outputs["serving"] == "new"
        assert outputs["scoring_uri"] == "http://s.models.svc.cluster.local/api/v1/service/s/score"

    def test_points_the_stable_service_at_it(self, cluster, ctx):
        cluster.add_version("s", "new")
        Plain(Rollout()).create(ctx, {**BASE, "strategy": "blue_green"})
        assert cluster.objects["Service", "s"]["spec"]["selector"]["mldeploy.dev/version"] == "new"
        assert ("HTTPRoute", "s") not in cluster.objects

    def test_says_when_there_is_no_such_version(self, cluster, ctx):
        with pytest.raises(ProvisionError, match="no version new in namespace models; there are: none"):
            Plain(Rollout()).create(ctx, CANARY)

    def test_warns_when_nothing_feeds_the_autoscaler(self, cluster, ctx):
        cluster.add_version("s", "new")
        Plain(Rollout()).create(ctx, {**CANARY, "autoscaled": True})
        assert any("metrics-server" in warning for warning in ctx.warnings)


class TestUpdate:
    def test_goes_through_the_steps(self, cluster, ctx):
        state = first(cluster, ctx)
        cluster.add_version("s", "new")
        outputs = Plain(Rollout()).update(ctx, "models/s", state, {**CANARY, "version": "old"}, CANARY)
        assert cluster.history == [{"new": 5, "old": 95}, {"new": 25, "old": 75}, {"new": 100}, {"new": 100}]
        assert outputs["serving"] == "new"
        assert cluster.versions() == {"new"}
        assert cluster.versions("Service") == {"new"}

    def test_blue_green_moves_at_once(self, cluster, ctx):
        inputs = {**CANARY, "strategy": "blue_green", "bake_seconds": 0}
        state = first(cluster, ctx, strategy="blue_green", bake_seconds=0)
        cluster.add_version("s", "new")
        Plain(Rollout()).update(ctx, "models/s", state, {**inputs, "version": "old"}, inputs)
        assert cluster.history[0] == {"new": 100}

    def test_starts_as_many_pods_as_serve_now(self, cluster, ctx):
        state = first(cluster, ctx)
        cluster.objects["Deployment", "s-old"]["spec"]["replicas"] = 7  # the autoscaler's doing
        cluster.add_version("s", "new")
        inputs = {**CANARY, "autoscaled": True}
        Plain(Rollout()).update(ctx, "models/s", state, {**inputs, "version": "old"}, inputs)
        assert cluster.objects["Deployment", "s-new"]["spec"]["replicas"] == 7

    def test_a_smaller_fixed_number_holds_once_the_traffic_has_moved(self, cluster, ctx):
        state = first(cluster, ctx)
        cluster.objects["Deployment", "s-old"]["spec"]["replicas"] = 7
        cluster.add_version("s", "new")
        wanted: list[int] = []
        cluster.metrics["new"] = lambda look: (
            wanted.append(cluster.objects["Deployment", "s-new"]["spec"]["replicas"]) or (look * 50, 0, 0.02)
        )
        inputs = {**CANARY, "replicas": 2}
        Plain(Rollout()).update(ctx, "models/s", state, {**CANARY, "version": "old"}, inputs)
        assert set(wanted) == {7}
        assert cluster.objects["Deployment", "s-new"]["spec"]["replicas"] == 2

    def test_100_percent_is_always_the_last_step(self, cluster, ctx):
        state = first(cluster, ctx)
        cluster.add_version("s", "new")
        inputs = {**CANARY, "steps": [50], "bake_seconds": 0}
        Plain(Rollout()).update(ctx, "models/s", state, {**CANARY, "version": "old"}, inputs)
        assert cluster.history[:2] == [{"new": 50, "old": 50}, {"new": 100}]

    def test_keeps_previous_versions_without_pods(self, cluster, ctx):
        state = first(cluster, ctx, keep_previous=1)
        inputs = {**CANARY, "keep_previous": 1, "bake_seconds": 0}
        cluster.add_version("s", "new")
        outputs = Plain(Rollout()).update(ctx, "models/s", state, {**inputs, "version": "old"}, inputs)
        assert outputs["kept"] == ["old"]
        assert cluster.objects["Deployment", "s-old"]["spec"]["replicas"] == 0
        cluster.add_version("s", "third")
        outputs = Plain(Rollout()).update(ctx, "models/s", outputs, inputs, {**inputs, "version": "third"})
        assert outputs["kept"] == ["new"]
        assert cluster.versions() == {"new", "third"}

    def test_promotes_a_kept_version_back(self, cluster, ctx):
        state = first(cluster, ctx, keep_previous=1)
        inputs = {**CANARY, "keep_previous": 1, "bake_seconds": 0}
        cluster.add_version("s", "new")
        state = Plain(Rollout()).update(ctx, "models/s", state, {**inputs, "version": "old"}, inputs)
        state = Plain(Rollout()).update(ctx, "models/s", state, inputs, {**inputs, "promote": "old"})
        assert state["serving"] == "old"
        assert cluster.objects["Deployment", "s-old"]["spec"]["replicas"] == 1
        assert cluster.versions() == {"old", "new"}
        state = Plain(Rollout()).update(ctx, "models/s", state, {**inputs, "promote": "old"}, inputs)
        assert state["serving"] == "new"

    def test_says_which_versions_can_be_promoted(self, cluster, ctx):
        state = first(cluster, ctx)
        with pytest.raises(ProvisionError, match="no version ghost in namespace models; there are: old"):
            Plain(Rollout()).update(
                ctx, "models/s", state, CANARY, {**CANARY, "version": "old", "promote": "ghost"}
            )

    def test_a_gateway_that_comes_with_a_version_goes_through_the_steps(self, cluster, ctx):
        cluster.add_version("s", "old")
        plain = {**BASE, "version": "old", "strategy": "blue_green"}
        _, state = Plain(Rollout()).create(ctx, plain)
        cluster.add_version("s", "new")
        Plain(Rollout()).update(ctx, "models/s", state, plain, CANARY)
        assert cluster.history[0] == {"new": 5, "old": 95}

    def test_removes_the_route_when_the_gateway_goes(self, cluster, ctx):
        state = first(cluster, ctx)
        inputs = {**BASE, "version": "old", "strategy": "blue_green"}
        Plain(Rollout()).update(ctx, "models/s", state, {**CANARY, "version": "old"}, inputs)
        assert ("HTTPRoute", "s") not in cluster.objects


class TestReturn:
    def fail(self, cluster, ctx, match, **changes):
        state = first(cluster, ctx)
        cluster.add_version("s", "new")
        for key, value in changes.items():
            getattr(cluster, key)["new"] = value
        with pytest.raises(ProvisionError, match=match) as caught:
            Plain(Rollout()).update(ctx, "models/s", state, {**CANARY, "version": "old"}, CANARY)
        assert "the traffic is back where it was: old 100 %" in str(caught.value)
        assert cluster.history[-1] == {"old": 100}
        assert cluster.versions() == {"old", "new"}, "the failed version stays to look at"

    def test_on_errors(self, cluster, ctx):
        self.fail(cluster, ctx, r"answers were errors \(20", metrics=lambda n: (n * 50, n * 10, 0.02))
        assert {"new": 25, "old": 75} not in cluster.history

    def test_on_latency(self, cluster, ctx):
        self.fail(cluster, ctx, "max_latency_ratio 2", metrics=lambda n: (n * 50, 0, 0.1))

    def test_on_errors_that_come_late(self, cluster, ctx):
        def fails_under_load(look):
            return (look * 50, look * 40 if {"new": 25, "old": 75} in cluster.history else 0, 0.02)

        self.fail(cluster, ctx, "failed at 25 %", metrics=fails_under_load)

    def test_on_an_api_that_goes_away(self, cluster, ctx, monkeypatch):
        state = first(cluster, ctx)
        cluster.add_version("s", "new")
        original = cluster.list

        def fails_once(kind, namespace, **options):
            if kind == "Pod" and cluster.history and not cluster.down:
                monkeypatch.setattr(cluster, "list", original)
                cluster.down = True
                try:
                    cluster._check()
                finally:
                    cluster.down = False
            return original(kind, namespace, **options)

        monkeypatch.setattr(cluster, "list", fails_once)
        with pytest.raises(ProvisionError, match="cannot be reached") as caught:
            Plain(Rollout()).update(ctx, "models/s", state, {**CANARY, "version": "old"}, CANARY)
        assert "back where it was" in str(caught.value)
        assert cluster.history[-1] == {"old": 100}

    def test_says_when_it_could_not_go_back(self, cluster, ctx, monkeypatch):
        state = first(cluster, ctx)
        cluster.add_version("s", "new")
        original = cluster.apply

        def breaks(kind, body, **options):
            found = original(kind, body, **options)
            cluster.down = True
            return found

        monkeypatch.setattr(cluster, "apply", breaks)
        with pytest.raises(ProvisionError, match="could not be put back") as caught:
            Plain(Rollout()).update(ctx, "models/s", state, {**CANARY, "version": "old"}, CANARY)
        assert "the next update puts it right" in str(caught.value)

    def test_on_ctrl_c(self, cluster, ctx):
        state = first(cluster, ctx)
        cluster.add_version("s", "new")
        stopped = Context(root=ctx.root, cancelled=threading.Event())

        def cancels(look):
            if look > 2:
                stopped.cancelled.set()
            return (look * 50, 0, 0.02)

        cluster.metrics["new"] = cancels
        with pytest.raises(ProvisionError, match="cancelled"):
            Plain(Rollout()).update(stopped, "models/s", state, {**CANARY, "version": "old"}, CANARY)
        assert cluster.history[-1] == {"old": 100}

    def test_on_restarts(self, cluster, ctx):
        def crashes(look):
            cluster.restarts["new"] = 1
            return (0, 0, 0.0)

        self.fail(cluster, ctx, "started again", metrics=crashes)


class TestAfterAKill:
    """A rollout from `old` to `new` that ended without a word: the route is still shared."""

    def killed(self, cluster, ctx, old, new):
        state = first(cluster, ctx)
        cluster.add_version("s", "new")
        backends = [{"name": "s-old", "weight": old}, {"name": "s-new", "weight": new}]
        cluster.objects["HTTPRoute", "s"]["spec"]["rules"][0]["backendRefs"] = backends
        return state

    @pytest.mark.parametrize("share", [25, 75])
    def test_going_back_gives_the_unproven_version_nothing_more(self, cluster, ctx, share):
        state = self.killed(cluster, ctx, 100 - share, share)
        inputs = {**CANARY, "version": "old"}
        Plain(Rollout()).update(ctx, "models/s", state, inputs, inputs)
        assert cluster.history == [{"old": 100}]
        assert cluster.versions() == {"old"}

    @pytest.mark.parametrize("share", [25, 75])
    def test_a_third_version_is_compared_with_and_falls_back_to_the_proven_one(self, cluster, ctx, share):
        state = self.killed(cluster, ctx, 100 - share, share)
        cluster.add_version("s", "third")
        cluster.metrics["third"] = lambda look: (look * 50, look * 40, 0.02)
        inputs = {**CANARY, "version": "third"}
        with pytest.raises(ProvisionError, match="all traffic is with version old"):
            Plain(Rollout()).update(ctx, "models/s", state, {**CANARY, "version": "old"}, inputs)
        assert cluster.history == [{"third": 5, "old": 95}, {"old": 100}]

    def test_the_same_version_begins_again(self, cluster, ctx):
        state = self.killed(cluster, ctx, 75, 25)
        cluster.metrics["new"] = lambda look: (look * 50, look * 40, 0.02)
        with pytest.raises(ProvisionError, match="all traffic is with version old") as caught:
            Plain(Rollout()).update(ctx, "models/s", state, {**CANARY, "version": "old"}, CANARY)
        assert "new 25 %" not in str(caught.value)
        assert cluster.history == [{"new": 5, "old": 95}, {"old": 100}]


class TestDiff:
    def diff(self, ctx, state, olds, news):
        return Plain(Rollout()).diff(ctx, "models/s", state, olds, news)

    def test_nothing_changed(self, cluster, ctx):
        state = first(cluster, ctx)
        inputs = {**CANARY, "version": "old"}
        assert self.diff(ctx, state, inputs, inputs).details == {}

    def test_a_renewed_token_or_key_is_no_change(self, cluster, ctx):
        state = first(cluster, ctx)
        inputs = {**CANARY, "version": "old"}
        renewed = {**inputs, "kubeconfig": KUBECONFIG + "\n", "key": "other"}
        assert self.diff(ctx, state, inputs, renewed).details == {}

    def test_another_cluster_replaces(self, cluster, ctx):
        state = first(cluster, ctx)
        inputs = {**CANARY, "version": "old"}
        other = {**inputs, "kubeconfig": KUBECONFIG.replace("one", "two")}
        assert self.diff(ctx, state, inputs, other).replaces == {"kubeconfig"}

    def test_traffic_left_on_a_split_is_found(self, cluster, ctx):
        """A rollout that was killed: the state says `old`, the cluster shares the traffic."""
        state = first(cluster, ctx)
        cluster.objects["HTTPRoute", "s"]["spec"]["rules"][0]["backendRefs"] = [
            {"name": "s-old", "weight": 75},
            {"name": "s-new", "weight": 25},
        ]
        inputs = {**CANARY, "version": "old"}
        found = self.diff(ctx, state, inputs, inputs)
        assert found.details == {"weights": "update"}
        assert found.drift == {"weights"}
        cluster.history.clear()
        outputs = Plain(Rollout()).update(ctx, "models/s", state, inputs, inputs)
        assert cluster.history[-1] == {"old": 100}
        assert outputs["serving"] == "old"

    def test_a_failed_version_left_behind_is_found_and_removed(self, cluster, ctx):
        state = first(cluster, ctx)
        cluster.add_version("s", "failed")
        inputs = {**CANARY, "version": "old"}
        assert self.diff(ctx, state, inputs, inputs).details == {"kept": "update"}
        Plain(Rollout()).update(ctx, "models/s", state, inputs, inputs)
        assert cluster.versions() == {"old"}

    def test_a_cluster_that_cannot_be_reached_is_said(self, cluster, ctx):
        state = first(cluster, ctx)
        cluster.down = True
        inputs = {**CANARY, "version": "old"}
        assert self.diff(ctx, state, inputs, inputs).details == {}
        assert any("was not compared" in warning for warning in ctx.warnings)


class TestReadAndDelete:
    def test_read_tells_the_live_weights(self, cluster, ctx):
        state = first(cluster, ctx)
        inputs = {**CANARY, "version": "old"}
        outputs, changed = Plain(Rollout()).read(ctx, "models/s", state, inputs)
        assert (outputs["weights"], changed) == ({"old": 100}, {})

    def test_a_route_that_is_gone_is_gone(self, cluster, ctx):
        state = first(cluster, ctx)
        del cluster.objects["HTTPRoute", "s"]
        assert Plain(Rollout()).read(ctx, "models/s", state, {**CANARY, "version": "old"}) is None

    def test_delete_removes_everything_of_the_service_and_nothing_else(self, cluster, ctx):
        state = first(cluster, ctx)
        cluster.add_version("s", "left-behind")
        cluster.add_version("other", "v")
        Plain(Rollout()).delete(ctx, "models/s", {**CANARY, **state})
        assert {name for _, name in cluster.objects} == {"other-v"}
        Plain(Rollout()).delete(ctx, "models/s", {**CANARY, **state})


class TestCheck:
    @pytest.mark.parametrize("steps", [[5, 5], [50, 25]])
    def test_steps_rise(self, ctx, steps):
        with pytest.raises(CheckError, match="each must be greater"):
            Plain(Rollout()).check(ctx, {}, {**CANARY, "steps": steps})

    def test_a_canary_needs_a_gateway(self, ctx):
        with pytest.raises(CheckError, match="needs a target with a gateway"):
            Plain(Rollout()).check(ctx, {}, {**CANARY, "gateway": None})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("strategy", "random"),
            ("max_error_rate", 2),
            ("bake_seconds", -1),
            ("keep_previous", -1),
            ("replicas", 0),
        ],
    )
    def test_values_out_of_range(self, name, value):
        assert [path for path, _ in Plain(Rollout()).faults({**CANARY, name: value})] == [name]
