"""What is wrong in a component's arguments, or in what it asks Azure for, is found by a plan: before any create."""

import copy

import pytest

from components.targets.aks.args import NodePool
from mldeploy.values.property_value import Secret, reveal
from tests.azure import harness, programs
from tests.azure.standin import arm_types
from tests.azure.standin.arm import faults_of
from tests.azure.standin.tokens import of

LONG = "x" * 300
ARGUMENTS = {
    "foundation": {
        "location": ["nowhere", 5, {"a": 1}, "West  Europa"],
        "tags": [{"a<b": "x"}, {"a": "y" * 257}, {f"t{i}": "x" for i in range(60)}, {"": "x"}],
        "existing": [
            {"storage": "stexample"}, {"nothing": programs.STORAGE}, {"storage": programs.REGISTRY},
            {"workspace": programs.GROUP}, {"registry": "/subscriptions/x"},
        ],
        "deployer_principal_id": ["me@example.org", "123"],
        "deployer_type": ["Robot", 7],
        "registry_sku": ["Huge", "classic"],
        "log_retention_days": [0, 29, 731],
    },
    "aci": {
        "cpu_cores": [0, 0.5, 4.5, 1.005, "1", -1, True],
        "memory_gb": [0, 16.5, 1.05, "2", -1],
        "port": [0, 80, 1025, 19080, 70000],
        "dns_label": ["abc", "Upper-case", "-begins", "under_score", LONG],
        "group_name": ["Upper", "under_score", "-x", "a--b", LONG],
        "zone": ["0", "west", "4"],
        "location": ["nowhere", 5],
        "environment_variables": [{"1X": "a"}, {"A-B": "a"}, {"": "a"}, {"A": {"b": 1}}],
        "image": ["https://crexample.azurecr.io/a@sha256:00", "two words", 5, ""],
        "registry_server": ["crexample.azurecr.io/path", 5],
        "subnet_id": [programs.SUBNET],
        "key_generation": [(0, 1)],
        "log_analytics_key": [None],
        "log_analytics_id": [None],
        "tags": [{"a%b": "x"}, {"a": "y" * 257}],
        "resource_group": [None, "ends.", LONG],
        "identity_id": [5],
    },
    "aks": {
        "cluster_name": ["", "-x", "has space", LONG, "windows-cluster", "a.b"],
        "agent_count": [0, 2, -1],
        "max_count": [1, 2000],
        "vm_size": ["tiny", "Standard_D3_v9x_", 5],
        "cluster_purpose": ["prod", "FastProd", ""],
        "kubernetes_version": ["latest", "1.3", "2.30", "v1.33"],
        "zones": [("0",), ("westeurope-1",)],
        "pools": [
            [NodePool(name="GPU", vm_size="Standard_NC4as_T4_v3")],
            [NodePool(name="services", vm_size="Standard_NC4as_T4_v3")],
            [NodePool(name="averyverylongname", vm_size="Standard_NC4as_T4_v3")],
            [NodePool(name="gpu", vm_size="NC4as")],
            [NodePool(name="gpu", vm_size="Standard_NC4as_T4_v3", min_count=4, max_count=3)],
            [NodePool(name="gpu", vm_size="Standard_NC4as_T4_v3", min_count=-1)],
            [NodePool(name="gpu", vm_size="Standard_NC4as_T4_v3", max_count=0)],
        ],
        "private": [True, "yes"],
        "authorized_ip_ranges": [["everyone"], ["198.51.100.0/99"]],
        "admin_group_ids": [[5]],
        "pod_cidr": ["10.0.0.0/8", "pods", "10.0.0.0/99"],
        "service_cidr": ["10.244.0.0/16", "services"],
        "dns_service_ip": ["10.1.0.10", "dns"],
        "maintenance_day": ["Someday", "Sun"],
        "location": ["nowhere", None],
        "resource_group": [None],
        "system_vm_size": [5],
        "tags": [{"a?b": "x"}],
    },
    "batch": {
        "endpoint_name": ["ab", "1abc", "has_underscore", "a--b", LONG],
        "compute_name": ["1a", "under_score", LONG, "a"],
        "vm_size": ["tiny", 5],
        "vm_priority": ["low_priority", "LowPriority", "spot"],
        "min_nodes": [-1, 5],
        "max_nodes": [0],
        "idle_seconds": [-1],
        "mini_batch_size": [0],
        "max_concurrency_per_instance": [0],
        "error_threshold": [-2],
        "max_retries": [-1],
        "timeout_seconds": [0],
        "instance_count": [0],
        "output_action": ["Append", ""],
        "logging_level": ["Loud"],
        "schedule": ["daily", "* * *"],
        "schedule_input": [None],
        "location": ["nowhere"],
        "adapter": ["no/such/folder", "../outside"],
        "identity_principal_id": ["me"],
    },
    "model": {
        "source": ["no/such/file", "../outside", "azureml://datastores/x/paths/y", "s3://bucket/x", "runs:/only"],
        "version": ["a b", "-1", LONG, ""],
        "model_type": ["pickle", "MLFLOW"],
        "tags": [{"a": {"b": 1}}],
        "properties": [{"a": ["b"]}],
        "datastore_uri": ["https://elsewhere.example.org/x"],
        "account_url": [5],
    },
    "image": {
        "builder": ["kaniko", ""],
        "repository": ["Upper/case", "with space", "-x", ""],
        "tag": ["a b", "", "x" * 129],
        "platform": ["windows/amd64", "linux"],
        "context": ["/absolute", "../outside", "no/such/folder"],
        "registry_id": [None],
        "registry_name": [None, "has-hyphen" * 9],
        "resource_group": [None],
    },
}  # fmt: skip
CASES = [
    (component, name, value)
    for component, arguments in ARGUMENTS.items()
    for name, values in arguments.items()
    for value in values
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("standin")


@pytest.fixture(scope="module")
def planned(folder, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("MLDEPLOY_HOME", str(tmp_path_factory.mktemp("home")))
    yield {name: harness.run(program, folder) for name, program in programs.PROGRAMS.items()}
    patch.undo()


@pytest.mark.parametrize("component", programs.PROGRAMS)
def test_right_arguments_have_no_fault(component, planned):
    assert planned[component].error is None
    assert planned[component].faults == []
    assert len(planned[component].resources) >= 3


def test_there_are_enough():
    assert len(CASES) >= 150


@pytest.mark.skipif(not arm_types.available(), reason=f"no Azure request types in {arm_types.folder()}")
@pytest.mark.parametrize(("component", "name", "value"), CASES, ids=lambda v: str(v)[:30])
def test_a_wrong_argument_is_found_by_the_plan(component, name, value, folder, planned):
    recorded = harness.run(lambda: programs.PROGRAMS[component](**{name: value}), folder)
    assert recorded.error or recorded.faults, f"{component}.{name} = {value!r} was taken"
    assert not harness.Service(folder).store.ids(), "something was created"


def _leaves(value, path=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _changed(inputs, path, make):
    changed = copy.deepcopy(inputs)
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = make(place[path[-1]])
    return changed


def _typed(item):
    """Whether the published types that the tests use have its body: not resource groups, nor Azure Monitor's rules."""
    return item.type.startswith("azure-native:") and of(item.type).body_type is not None


def _faults(item, inputs):
    token = of(item.type)
    return faults_of(token, inputs.get(token.path[-1]), token.body(inputs), None)


@pytest.mark.skipif(not arm_types.available(), reason=f"no Azure request types in {arm_types.folder()}")
def test_every_secret_is_missed_when_it_is_not_wrapped(planned):
    found = 0
    for recorded in planned.values():
        for item in recorded.resources:
            if not item.type.startswith("azure-native:"):
                continue
            for path, value in _leaves(item.inputs):
                if isinstance(value, Secret):
                    found += 1
                    assert _faults(item, _changed(item.inputs, path, reveal)), (
                        f"{item.name} {path} may be plain"
                    )
    assert found >= 5, "keys, certificate, private key, telemetry, registry password"


@pytest.mark.skipif(not arm_types.available(), reason=f"no Azure request types in {arm_types.folder()}")
def test_every_scalar_of_a_wrong_type_is_refused(planned):
    """A list where a text, number or flag belongs: whatever property it is."""
    tried, taken = 0, []
    for recorded in planned.values():
        for item in recorded.resources:
            if not _typed(item):
                continue
            token = of(item.type)
            for path, value in _leaves(item.inputs):
                if (
                    isinstance(value, str | int | float)
                    and path[0] not in token.path
                    and path[0] not in token.query
                ):
                    tried += 1
                    if not _faults(item, _changed(item.inputs, path, lambda v: [v])):
                        taken.append(f"{item.name} {path}")
    assert tried > 150
    # Free-form by the API's own types.
    assert [place for place in taken if "endpointInvocationDefinition" not in place] == []


@pytest.mark.skipif(not arm_types.available(), reason=f"no Azure request types in {arm_types.folder()}")
def test_unknown_properties_are_refused(planned):
    for recorded in planned.values():
        for item in recorded.resources:
            if _typed(item):
                assert _faults(item, {**item.inputs, "noSuchProperty": 1}), item.name
