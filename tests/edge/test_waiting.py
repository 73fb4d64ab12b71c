"""Waiting for devices after a change, and going back when they do not get there."""

from __future__ import annotations

from typing import Any

import pytest

from mldeploy.provider.framework.resource import ProvisionError, UnhealthyError
from tests.edge.conftest import OTHER, Driver

NEW = {"modules": {"diabetes": {"image": OTHER}}}


def test_waits_until_enough_devices_report(driver: Driver) -> None:
    polls = iter([None, None, None, True, True])
    last: list[Any] = [None]

    def health(device: str, modules: dict[str, Any]) -> bool | None:
        if device == "line-1":
            last[0] = next(polls, True)
        return last[0] if device == "line-1" else None

    driver.server.hub.health = health
    driver.up(wait={"reported": 50, "timeout": 30})
    assert driver.state["rolled_out"] is True
    assert "2 devices targeted, 2 applied, 1 report success, 0 report failure" in driver.messages


def test_a_failed_rollout_stays_in_the_state_and_the_next_update_waits_again(driver: Driver) -> None:
    driver.server.hub.health = lambda device, modules: device != "line-1"
    with pytest.raises(
        UnhealthyError, match="100 % of the devices did not report success within 1 s"
    ) as caught:
        driver.up(wait={"timeout": 1})
    assert caught.value.outputs["rolled_out"] is False
    driver.ident, driver.inputs = caught.value.ident, driver.check(wait={"timeout": 1})
    driver.state = driver.inputs | dict(caught.value.outputs)
    assert driver.deployment in driver.server.hub.configurations
    with pytest.raises(UnhealthyError, match="did not report success"):
        driver.up(labels={"a": "b"}, wait={"timeout": 1})
    driver.server.hub.health = lambda device, modules: True
    assert driver.up(wait={"timeout": 2}) == "update"
    assert driver.state["rolled_out"] is True


def test_rollback_to_the_previous_deployment(driver: Driver) -> None:
    driver.up()
    old = driver.deployment
    driver.server.hub.health = lambda device, modules: OTHER not in str(modules)
    with pytest.raises(ProvisionError, match=rf"report failure: .*; rolled back: {old} applies again"):
        driver.up(wait={"timeout": 60, "failed": 40, "rollback": True}, **NEW)
    assert driver.server.hub.effective("line-1") == (old,)
    assert set(driver.server.hub.configurations) == {old}
    assert driver.refresh() == {}


def test_no_rollback_without_a_previous_deployment(driver: Driver) -> None:
    driver.server.hub.health = lambda device, modules: False
    with pytest.raises(UnhealthyError, match="report failure"):
        driver.up(wait={"timeout": 60, "failed": 0, "rollback": True})
    assert len(driver.server.hub.configurations) == 1


def test_no_matching_device_is_said_and_is_no_failure(driver: Driver) -> None:
    driver.up(target_condition="tags.site='nowhere'", wait={"timeout": 1})
    assert any("no device matches" in message for message in driver.messages)


def test_cancelling_ends_the_wait_and_keeps_the_deployment_in_the_state(driver: Driver) -> None:
    driver.server.hub.health = lambda device, modules: driver.ctx.cancelled.set()
    with pytest.raises(UnhealthyError, match="cancelled while waiting"):
        driver.up(wait={"timeout": 600})
    assert len(driver.server.hub.configurations) == 1


# --- layers, import, secrets, checks
# -------------------------------------------------------------------------
