"""A HorizontalPodAutoscaler that really scales: by metrics that the test sets, through the API server's aggregation."""

from __future__ import annotations

import time

import pytest

from tests.kubernetes.metrics_api import metrics_api

pytestmark = pytest.mark.kubernetes


def replicas(project):
    return project.deployments()[project.version()]["spec"]["replicas"]


def wait_for_replicas(project, wanted, seconds=60):
    deadline = time.monotonic() + seconds
    while replicas(project) != wanted:
        autoscalers = project.api.list("HorizontalPodAutoscaler", project.namespace)
        assert time.monotonic() < deadline, [item.get("status") for item in autoscalers]
        time.sleep(0.3)


def test_an_up_under_load_keeps_what_the_autoscaler_set(project, cluster):
    project.service(
        scaling={"enabled": True, "min_replicas": 1, "max_replicas": 4, "refresh_seconds": 1},
        workload={"cpu_cores": 0.1, "memory_gb": 0.5},
    )
    done = project.run_up()
    assert "install metrics-server" in done.stdout + done.stderr, (
        "a cluster without metrics is not warned about"
    )
    with metrics_api(cluster) as usage:
        usage.millicores = 400  # of 100: as many pods as there may be
        wait_for_replicas(project, 4)
        assert project.up() == {}
        project.service(facts={"mldeploy.dev/description": "changed in place"})
        assert project.up() == {"update": 1}
        assert replicas(project) == 4, "an update reset what the autoscaler had set"

        # A new version takes over with as many pods as serve, not with the smallest number.
        first = project.version()
        project.service(models={"diabetes": "2"}, rollout={"keep_previous": 1})
        done = project.run_up()
        assert "install metrics-server" not in done.stdout + done.stderr
        assert project.version() != first
        assert replicas(project) == 4
        # The version that is kept stays without pods: an autoscaler leaves a Deployment of zero alone.
        time.sleep(5)
        assert project.deployments()[first]["spec"]["replicas"] == 0
