"""What a gate decides, against a cluster in memory."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from mldeploy.provider.framework.resource import CancelledError, CheckError, ProvisionError
from mldeploy.provider.kubernetes.gate import KubernetesGate
from mldeploy.provider.kubernetes.reply import Reply
from tests.kubernetes.fake_cluster import BASE, first
from tests.plain_values import Plain

GOLDEN = {"request": "in.json", "response": "out.json", "tolerance": 1e-6}


@pytest.fixture
def cluster(fake_cluster):
    """The one in memory instead of the running one."""
    return fake_cluster


class TestGate:
    @pytest.fixture(autouse=True)
    def files(self, tmp_path):
        (tmp_path / "in.json").write_text('{"data": [1]}')
        (tmp_path / "out.json").write_text("[1.0]")

    def inputs(self, **changes):
        return {**BASE, "key": "secret-key", "golden": [GOLDEN], **changes}

    def test_passes_a_right_answer(self, cluster, ctx):
        cluster.add_version("s", "new")
        _, outputs = Plain(KubernetesGate()).create(ctx, self.inputs())
        assert outputs["passed"] == 1
        assert ("s-new:80", "/score") in cluster.requests

    @pytest.mark.parametrize(
        ("answer", "match"),
        [
            (b"[2.0]", r"not the answer in out.json: at \$\[0\]: expected 1.0, got 2.0"),
            (lambda _: Reply(500, "text/plain", b"boom", 0.01), "status 500: boom"),
        ],
    )
    def test_fails_a_wrong_one(self, cluster, ctx, answer, match):
        cluster.add_version("s", "new")
        cluster.answers["new"] = answer
        with pytest.raises(ProvisionError, match=match) as caught:
            Plain(KubernetesGate()).create(ctx, self.inputs())
        assert "a line of the log" in str(caught.value)
        assert "traffic was not moved" in str(caught.value)

    @pytest.mark.parametrize(
        ("seconds", "limit", "match"),
        [(0.01, 20, ""), (0.05, 20, r"the first piece came after 50 ms; allowed: first_byte_ms 20")],
    )
    def test_an_answer_in_pieces(self, cluster, ctx, tmp_path, seconds, limit, match):
        (tmp_path / "pieces").write_text("1\n2\n")
        cluster.add_version("s", "new")
        cluster.answers["new"] = lambda _: Reply(
            200, "text/event-stream", b"data: 1\n\ndata: 2\n\n", 0.06, seconds
        )
        stream = {"pieces": "pieces", "first_byte_ms": limit, "events": True}
        inputs = self.inputs(golden=[{"request": "in.json", "stream": stream}])
        with pytest.raises(ProvisionError, match=match) if match else nullcontext():
            Plain(KubernetesGate()).create(ctx, inputs)
        assert cluster.accepted[-1] == "text/event-stream"

    def test_does_not_score_a_version_that_gets_no_traffic(self, cluster, ctx):
        """The way back from a version that cannot be scored must not go through scoring it."""
        cluster.add_version("s", "new")
        cluster.answers["new"] = b"[2.0]"
        inputs = self.inputs(promote="old")
        ident, outputs = Plain(KubernetesGate()).create(ctx, inputs)
        assert outputs["passed"] == 0
        with pytest.raises(ProvisionError, match="not the answer"):
            Plain(KubernetesGate()).update(ctx, ident, outputs, inputs, self.inputs())
        with pytest.raises(ProvisionError, match="not the answer"):
            Plain(KubernetesGate()).create(ctx, self.inputs(promote="new"))

    def test_compares_latency_with_what_serves(self, cluster, ctx):
        first(cluster, ctx)
        cluster.add_version("s", "new")
        cluster.answers["new"] = lambda _: Reply(200, "application/json", b"[1.0]", 0.05)
        with pytest.raises(ProvisionError, match=r"5\.0 times as long as the serving version old"):
            Plain(KubernetesGate()).create(ctx, self.inputs(max_latency_ratio=2.0))
        Plain(KubernetesGate()).create(ctx, self.inputs(max_latency_ratio=6.0))

    def test_scales_a_version_up_that_has_too_few_pods(self, cluster, ctx):
        cluster.add_version("s", "new", replicas=0)
        Plain(KubernetesGate()).create(ctx, self.inputs(replicas=2))
        assert cluster.objects["Deployment", "s-new"]["spec"]["replicas"] == 2

    def test_says_why_a_version_does_not_get_ready(self, cluster, ctx):
        cluster.add_version("s", "new")
        cluster.unready.add("new")
        with pytest.raises(
            ProvisionError, match="version new in namespace models: not ready after 1 seconds"
        ):
            Plain(KubernetesGate()).create(ctx, self.inputs())

    def test_can_be_cancelled_while_it_waits(self, cluster, ctx):
        cluster.add_version("s", "new")
        cluster.unready.add("new")
        ctx.cancelled.set()
        with pytest.raises(CancelledError):
            Plain(KubernetesGate()).create(ctx, self.inputs())

    def test_a_missing_file_is_found_before_anything_happens(self, ctx):
        with pytest.raises(CheckError, match="golden"):
            Plain(KubernetesGate()).check(ctx, {}, self.inputs(golden=[{"request": "ghost.json"}]))

    def test_a_rotated_key_scores_nothing_again(self, ctx):
        found = Plain(KubernetesGate()).diff(ctx, "x", {}, self.inputs(), self.inputs(key="other"))
        assert found.details == {}
