"""The EdgeDeployment resource against the stand-in hub: one step at a time, as an engine drives it."""

from __future__ import annotations

from typing import Any

import pytest

from mldeploy.provider.edge import rollout
from mldeploy.provider.edge.client import HubError
from mldeploy.provider.framework.resource import CheckError, ProvisionError
from mldeploy.values.property_value import UNKNOWN
from tests.edge.conftest import IMAGE, OTHER, Driver
from tests.edge.standin import Device

BIG = {"Labels": {"x": "y" * 5000}}
NEW = {"modules": {"diabetes": {"image": OTHER}}}


def test_create_then_nothing_to_do(driver: Driver) -> None:
    assert driver.up() == "create"
    assert driver.up() == "same"
    assert driver.refresh() == {}
    found = driver.server.hub.configurations[driver.deployment]
    assert driver.deployment == f"acme-prod-devices-{driver.state['content_digest'][:12]}"
    assert driver.ident == f"{driver.server.hub.host}/{driver.deployment}"
    assert found["priority"] == 10
    assert driver.server.hub.effective("line-1") == (driver.deployment,)
    assert driver.server.hub.effective("line-3") == ()


def test_labels_priority_condition_and_metrics_change_in_place(driver: Driver) -> None:
    driver.up()
    before = driver.deployment
    changes: dict[str, Any] = {
        "labels": {"team": "health"},
        "priority": 20,
        "target_condition": "tags.site IN ['plant-7', 'plant-8']",
        "metrics": {"ready": "SELECT deviceId FROM devices WHERE properties.reported.ready = true"},
    }
    assert driver.up(**changes) == "update"
    found = driver.server.hub.configurations[before]
    assert driver.deployment == before
    assert found["priority"] == 20
    assert found["labels"]["team"] == "health"
    assert found["metrics"]["queries"] == changes["metrics"]
    assert driver.server.hub.effective("line-3") == (before,)
    put = [seen for seen in driver.server.requests if seen.method == "PUT"][-1]
    assert put.headers["If-Match"].startswith('"')
    assert put.headers["If-Match"].endswith('"')
    assert driver.up(**changes) == "same"
    assert driver.refresh() == {}


def test_new_content_is_a_new_deployment_in_front_of_the_old_one(driver: Driver) -> None:
    driver.up()
    old = driver.deployment
    details, replaces = driver.diff(**NEW)
    assert set(details) == {"modules.diabetes.image", "content_digest"}
    assert replaces == {"modules", "content_digest"}
    assert driver.up(**NEW) == "replace"
    hub = driver.server.hub
    assert set(hub.configurations) == {driver.deployment} != {old}
    assert hub.configurations[driver.deployment]["priority"] == 11
    # A device goes from the old one to the new one; it is never without one, and never goes back.
    assert [step["line-1"] for step in hub.history] == [(old,), (driver.deployment,), (driver.deployment,)]
    assert driver.up(**NEW) == "same"
    assert driver.refresh() == {}


def test_many_replacements_stay_within_two_priorities(driver: Driver) -> None:
    seen = []
    for digit in "0123456":
        driver.up(modules={"diabetes": {"image": IMAGE[:-1] + digit}})
        hub = driver.server.hub
        seen.append(hub.configurations[driver.deployment]["priority"])
        assert set(hub.configurations) == {driver.deployment}
    assert set(seen) == {10, 11}
    order = [step["line-1"] for step in driver.server.hub.history]
    distinct = [step for index, step in enumerate(order) if index == 0 or step != order[index - 1]]
    assert len(distinct) == 7
    assert () not in order


def test_a_lower_priority_with_new_content_still_takes_over(driver: Driver) -> None:
    driver.up(priority=30)
    old = driver.deployment
    driver.up(priority=5, **NEW)
    order = [step["line-1"] for step in driver.server.hub.history]
    assert order[0] == (old,)
    # Before the old one is removed, too.
    assert order[-2:] == [(driver.deployment,)] * 2
    assert () not in order
    assert driver.server.hub.configurations[driver.deployment]["priority"] == 6


def test_back_to_earlier_content_while_it_waits_for_deletion(driver: Driver) -> None:
    """Content A, then B whose rollout broke off, then A again: the old A is adopted, and its deletion spares
    it."""
    driver.up()
    first_ident, first_state = driver.ident, driver.state
    driver.create(**NEW)
    second_ident, second_state = driver.ident, driver.state
    driver.create()
    assert driver.ident == first_ident
    # At once, not only when B is removed: of two with the same priority the hub takes the one created last.
    assert driver.server.hub.effective("line-1") == (driver.deployment,)
    driver.resource.delete(driver.ctx, first_ident, first_state)
    driver.resource.delete(driver.ctx, second_ident, second_state)
    hub = driver.server.hub
    assert set(hub.configurations) == {driver.deployment}
    assert hub.effective("line-1") == (driver.deployment,)
    assert any("taken it over" in message for message in driver.messages)
    driver.destroy()
    assert not hub.configurations


def test_somebody_elses_deployment_under_our_id_is_left_alone(driver: Driver) -> None:
    name = f"acme-prod-devices-{driver.check()['content_digest'][:12]}"
    foreign = {"modulesContent": {"$edgeAgent": {"properties.desired.modules.x": {"type": "docker"}}}}
    driver.server.hub.put(name, {"id": name, "content": foreign, "priority": 3}, None)
    driver.up()
    assert driver.deployment == f"{name}-{driver.state['claim']}"
    assert driver.server.hub.configurations[name]["content"] == foreign
    driver.destroy()
    assert set(driver.server.hub.configurations) == {name}


def test_somebody_is_faster_with_our_id(driver: Driver) -> None:
    """Another content appears under the id between our look and our creation."""
    name = f"acme-prod-devices-{driver.check()['content_digest'][:12]}"
    foreign = {"modulesContent": {"$edgeAgent": {"properties.desired.modules.x": {"type": "docker"}}}}

    def race(number: int, method: str, path: str) -> None:
        if method == "PUT" and name not in driver.server.hub.configurations:
            driver.server.hub.put(name, {"id": name, "content": foreign}, None)

    driver.server.fault = race
    driver.up()
    assert driver.deployment == f"{name}-{driver.state['claim']}"
    assert driver.server.hub.configurations[name]["content"] == foreign


def test_drift_is_found_and_repaired(driver: Driver) -> None:
    driver.up(labels={"team": "health"})
    hub, ident = driver.server.hub, driver.deployment
    body = hub.configurations[ident] | {"priority": 99, "labels": {"team": "other"}}
    hub.put(ident, body, '"*"')
    assert driver.refresh() == {"priority": 99, "labels": {"team": "other"}}
    assert driver.up(labels={"team": "health"}) == "update"
    assert hub.configurations[ident]["priority"] == 10
    assert driver.refresh() == {}


def test_content_made_anew_by_hand_is_drift_that_replaces(driver: Driver) -> None:
    driver.up()
    hub, ident = driver.server.hub, driver.deployment
    body = hub.configurations[ident]
    hub.delete(ident, '"*"')
    desired = body["content"]["modulesContent"]["$edgeAgent"]["properties.desired"]
    desired["modules"]["diabetes"]["settings"]["image"] = OTHER
    hub.put(ident, body, None)
    changed = driver.refresh()
    assert changed is not None
    assert changed["modules"]["diabetes"]["image"] == OTHER
    assert driver.up() == "replace"
    assert driver.server.hub.modules("line-1")["diabetes"]["settings"]["image"] == IMAGE


def test_gone_is_gone(driver: Driver) -> None:
    driver.up()
    driver.server.hub.delete(driver.deployment, '"*"')
    assert driver.refresh() is None
    driver.destroy()
    with pytest.raises(ProvisionError, match="is gone; refresh"):
        driver.up(labels={"a": "b"})


def test_destroy_removes_it_and_nothing_else(driver: Driver) -> None:
    hub = driver.server.hub
    content = {"modulesContent": {"$edgeAgent": {"properties.desired.modules.x": {"type": "docker"}}}}
    for other in ("acme-prod-devices", "acme-prod-devices-2-0123456789ab", "acme-prod-devices-extra"):
        hub.put(other, {"id": other, "content": content}, None)
    driver.up()
    driver.up(**NEW)
    driver.destroy()
    driver.destroy()
    assert len(hub.configurations) == 3


@pytest.mark.parametrize("how", ["lose request", "lose answer", 429, 500, 503, (429, {"Retry-After": "7"})])
def test_a_fault_at_every_request(driver: Driver, how: Any, no_backoff: list[float]) -> None:
    """Create, change a label, replace, destroy, with one fault at the n-th request, for every n."""
    total = 0
    number = 0
    while True:
        number += 1
        run = Driver(driver.server)
        driver.server.requests.clear()
        driver.server.hub.history.clear()
        driver.server.fault = lambda count, method, path, at=number: how if count == at else None
        assert run.up() == "create"
        first = run.deployment
        assert run.up(labels={"a": "b"}) == "update"
        assert run.up(labels={"a": "b"}, **NEW) == "replace"
        hub = run.server.hub
        assert set(hub.configurations) == {run.deployment}
        order = [step["line-1"] for step in hub.history]
        distinct = [step for index, step in enumerate(order) if index == 0 or step != order[index - 1]]
        assert distinct == [(first,), (run.deployment,)]
        run.destroy()
        assert not hub.configurations
        if len(driver.server.requests) < number:
            break
        total += 1
    assert total >= 10
    if isinstance(how, tuple):
        assert 7.0 in no_backoff


def test_it_gives_up_in_the_end(driver: Driver) -> None:
    driver.server.fault = lambda number, method, path: 503
    with pytest.raises(
        HubError, match="did not answer GET /configurations in 7 attempts; last, it answered 503"
    ):
        driver.up()
    assert len(driver.server.requests) == 7


def test_a_full_hub(driver: Driver) -> None:
    hub = driver.server.hub
    content = {"modulesContent": {"$edgeAgent": {"properties.desired.modules.x": {"type": "docker"}}}}
    for number in range(hub.limit - 1):
        hub.put(f"other-{number}", {"id": f"other-{number}", "content": content}, None)
    driver.up()
    with pytest.raises(HubError, match=r"413 ConfigurationCountLimitExceeded .*a replacement needs one more"):
        driver.up(**NEW)
    assert hub.effective("line-1") == (driver.deployment,)
    assert len(hub.configurations) == 100


def test_the_family_is_found_across_pages(driver: Driver) -> None:
    hub = driver.server.hub
    hub.page = 3
    content = {"modulesContent": {"$edgeAgent": {"properties.desired.modules.x": {"type": "docker"}}}}
    for number in range(20):
        hub.put(f"aaa-{number}", {"id": f"aaa-{number}", "content": content}, None)
    driver.up()
    driver.up(**NEW)
    assert hub.configurations[driver.deployment]["priority"] == 11


def test_somebody_changes_the_deployment_while_we_do(driver: Driver) -> None:
    driver.up()
    hub, ident = driver.server.hub, driver.deployment
    races = iter(range(3))

    def race(number: int, method: str, path: str) -> None:
        if method == "PUT" and next(races, None) is not None:
            hub.put(ident, hub.configurations[ident] | {"labels": {"by": "hand"}}, '"*"')

    driver.server.fault = race
    assert driver.up(labels={"a": "b"}) == "update"
    assert driver.refresh() == {}
    driver.server.fault = lambda *args: (race(*args), hub.put(ident, hub.configurations[ident], '"*"'))[0]
    with pytest.raises(HubError, match="keeps being changed by somebody else"):
        driver.up(labels={"c": "d"})


# --- waiting
# -------------------------------------------------------------------------------------------------


def test_a_layer_over_somebody_elses_deployment(driver: Driver) -> None:
    base = Driver(driver.server)
    base.up(name="platform", priority=1, modules={"monitor": {"image": "r.io/monitor:1"}})
    driver.up(layered=True)
    hub = driver.server.hub
    assert hub.effective("line-1") == (base.deployment, driver.deployment)
    assert set(hub.modules("line-1")) == {"monitor", "diabetes"}
    driver.up(layered=True, **NEW)
    assert hub.modules("line-1")["diabetes"]["settings"]["image"] == OTHER
    # Between the steps both layers are there; the new one is on top as soon as it exists.
    assert all(step["line-1"][0] == base.deployment for step in hub.history)
    assert driver.refresh() == {}


def test_import_reads_everything_back(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {
        "labels": {"team": "health"},
        "routes": {"up": {"route": "FROM /messages/* INTO $upstream", "priority": 2}},
        "modules": {
            "diabetes": {
                "image": IMAGE,
                "create_options": {"HostConfig": {"Memory": 1073741824}},
                "env": {"A": "b", "N": 1, "T": True},
                "startup_order": 5,
                "desired": {"limits": {"cpu": 1}},
            }
        },
        "registry_credentials": {"acr": {"address": "r.io", "username": "u", "password": "p4ssw0rd"}},
    }
    driver.up(**settings)
    monkeypatch.setenv("MLDEPLOY_IOTHUB_CONNECTION_STRING", driver.server.hub.connection_string)
    found = driver.resource.read(driver.ctx, driver.ident, {}, {})
    assert found is not None
    outputs, inputs = found
    wanted = driver.check(**settings)
    for name in ("name", "hub", "target_condition", "priority", "content_digest", *settings):
        assert inputs[name] == wanted[name], name
    # The provider's own defaults for the runtime come back explicitly.
    assert inputs["edge_agent"]["image"].startswith("mcr.microsoft.com/azureiotedge-agent:")
    assert outputs["deployment_id"] == driver.deployment
    # The program's next `up` changes nothing of it, although the program leaves the defaults away.
    driver.inputs, driver.state = inputs, inputs | outputs
    assert driver.diff(**settings) == ({"connection_string": "add"}, set())
    with pytest.raises(ProvisionError, match="give <hub host name>/<deployment id>"):
        driver.resource.read(driver.ctx, "no-slash", {}, {})
    assert driver.resource.read(driver.ctx, f"{driver.server.hub.host}/absent", {}, {}) is None


def test_a_registry_password_is_not_in_the_id_and_its_change_replaces(driver: Driver) -> None:
    login = {"acr": {"address": "r.io", "username": "u", "password": "p4ssw0rd"}}
    driver.up(registry_credentials=login)
    first = driver.deployment
    agent = driver.server.hub.configurations[first]["content"]["modulesContent"]["$edgeAgent"]
    assert agent["properties.desired"]["runtime"]["settings"]["registryCredentials"] == login
    login["acr"]["password"] = "another"
    assert driver.up(registry_credentials=login) == "replace"
    assert driver.deployment != first
    assert driver.resource.resource.inputs["registry_credentials"].about.secret


def test_a_new_connection_string_is_no_request_to_change_anything(driver: Driver) -> None:
    driver.up()
    hub = driver.server.hub
    before = dict(hub.configurations)
    hub.policy = "iothubowner"
    assert driver.up() == "update"
    assert hub.configurations == before


@pytest.mark.parametrize(
    ("changes", "path", "reason"),
    [
        ({"name": "Acme"}, "name", "lowercase"),
        ({"hub": "my hub"}, "hub", "host name"),
        ({"target_condition": "tags.site='x"}, "target_condition", "stand in quotes"),
        ({"priority": -1}, "priority", "at least 0"),
        ({"modules": {}}, "modules", "1 to 50"),
        ({"modules": {"a b": {"image": IMAGE}}}, "modules.a b", "letters, digits"),
        ({"modules": {"edgeHub": {"image": IMAGE}}}, "modules.edgeHub", "edge_hub"),
        ({"modules": {"a": {"image": "r.io/x:1@sha256:0"}}}, "modules.a.image", "not both"),
        ({"modules": {"a": {"image": IMAGE, "env": {"A.B": "c"}}}}, "modules.a.env", "no '.'"),
        ({"modules": {"a": {"image": "x", "restart_policy": "so"}}}, "modules.a.restart_policy", "always"),
        ({"modules": {"a": {"image": "x", "create_options": BIG}}}, "modules.a.create_options", "8 x 512"),
        ({"modules": {"a": {"image": IMAGE, "desired": {"a b": 1}}}}, "modules.a.desired", "a space"),
        ({"routes": {"up": {"route": "INTO the blue"}}}, "routes.up.route", "FROM /messages"),
        ({"layered": True, "store_and_forward_secs": 5}, "store_and_forward_secs", "not to a layer"),
        ({"labels": {"mldeploy-claim": "x"}}, "labels.mldeploy-claim", "provider's own"),
        ({"wait": {"reported": 120}}, "wait.reported", "at most 100"),
    ],
)  # fmt: skip
def test_check_says_what_is_wrong(driver: Driver, changes: dict[str, Any], path: str, reason: str) -> None:
    with pytest.raises(CheckError) as caught:
        driver.check(**changes)
    assert [p for p, r in caught.value.failures if reason in r] == [path], caught.value.failures
    assert not driver.server.requests


def test_an_unknown_image_is_checked_as_far_as_it_goes(driver: Driver) -> None:
    assert driver.check(modules={"a": {"image": UNKNOWN}})["content_digest"] is UNKNOWN
    with pytest.raises(CheckError, match="sometimes"):
        driver.check(modules={"a": {"image": UNKNOWN, "restart_policy": "sometimes"}})
    driver.up()
    details, replaces = driver.diff(modules={"diabetes": {"image": UNKNOWN}})
    assert details == {"modules.diabetes.image": "update", "content_digest": "update"}
    assert "modules" in replaces


def test_another_hub_is_another_deployment(driver: Driver) -> None:
    driver.up()
    _, replaces = driver.diff(hub="other-hub.azure-devices.net")
    assert replaces == {"hub"}


def test_counts_of_a_hub_that_has_not_counted_yet() -> None:
    assert rollout.Counts.of({"systemMetrics": None}) == rollout.Counts(0, 0, 0, 0)


def test_devices_that_are_not_iot_edge_are_no_targets(driver: Driver) -> None:
    driver.server.hub.devices = {"sensor": Device(tags={"site": "plant-7"}, iot_edge=False)}
    driver.up()
    found = rollout.Counts.of(driver.server.hub.get(driver.deployment))
    assert found.targeted == 0
