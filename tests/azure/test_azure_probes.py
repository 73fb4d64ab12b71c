"""The manifest's probes are those of the container, and its defaults are those of Container Instances."""

from mldeploy.manifest.service import Probes
from tests.azure import harness, programs


def _probes(recorded):
    assert recorded.error is None, recorded.error
    (group,) = recorded.of("ContainerGroup")
    (container,) = group.plain["containers"]
    return container["livenessProbe"], container["readinessProbe"]


def test_probes_reach_the_container(tmp_path):
    before, _ = _probes(harness.run(programs.aci, tmp_path / "a"))
    assert (before["initialDelaySeconds"], before["timeoutSeconds"], before["failureThreshold"]) == (10, 5, 6)
    changed = {"initial_delay_seconds": 99, "period_seconds": 7, "timeout_seconds": 3}
    given = Probes(**changed, failure_threshold=4, success_threshold=2)
    live, ready = _probes(harness.run(lambda: programs.aci(probes=given), tmp_path / "b"))
    assert (live["initialDelaySeconds"], live["periodSeconds"], live["timeoutSeconds"]) == (99, 7, 3)
    assert (live["failureThreshold"], ready["failureThreshold"], ready["successThreshold"]) == (8, 4, 2)
