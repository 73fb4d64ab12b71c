"""Manifests that are right, and what is read from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from mldeploy.manifest import ConfigRef, EnvRef, KeyVaultRef, Manifest, load, manifest_files
from mldeploy.manifest.kinds.aks import AksTarget
from mldeploy.manifest.kinds.batch import BatchTarget
from mldeploy.manifest.kinds.edge import EdgeTarget
from tests.manifest.good import EVERYTHING
from tests.manifest.project import make_project

REPOSITORY = Path(__file__).parents[2]
# The shape that the key names were fixed with; the files that it names are made by the test.
EXAMPLE = """\
version: 1
models:
  diabetes:
    source: models/diabetes/sklearn_regression_model.pkl
    description: Ridge regression on the diabetes data
    tags: {framework: scikit-learn, stage: approved}
    properties: {owner: ml-platform}
  digits:
    source: models/digits
    version: "3"
  from-run:
    source: runs:/0123456789abcdef/outputs/model.pkl
  from-job:
    source: azureml://jobs/brave_sky_1/outputs/artifacts/outputs/model.pkl
images:
  diabetes:
    models: [diabetes]
    source_directory: entry_scripts/diabetes
    entry_script: score.py
    conda_file: conda.yml
    runtime: python
    base_image: mcr.microsoft.com/azureml/minimal-py312-inference
    base_image_registry:
      {address: myregistry.azurecr.io, username: puller, password: {config: baseImagePassword}}
  digits:
    {models: [digits], source_directory: entry_scripts/digits, entry_script: score.py, conda_file: conda.yml}
targets:
  here: {type: local, runtime: process}
  devtest: {type: aci, location: westeurope}
  prod-cluster: {type: aks, create: {agent_count: 3, vm_size: Standard_D4s_v5, cluster_purpose: fast_prod}}
  shared-cluster: {type: aks, attach: {resource_group: platform-rg, cluster_name: platform-aks}}
  any-cluster: {type: kubernetes, kubeconfig: {env: KUBECONFIG}, context: staging}
  nightly: {type: batch, vm_size: Standard_DS3_v2, min_nodes: 0, max_nodes: 4}
  devices: {type: edge, hub: my-hub, target_condition: "tags.site='plant-7'", priority: 10}
services:
  diabetes:
    image: diabetes
    target: here
    description: Disease progression one year after baseline
    tags: {team: health}
    properties: {}
    port: 8890
    cpu_cores: 1
    memory_gb: 1
    auth_enabled: true
    primary_key: {config: diabetesPrimaryKey}
    secondary_key: {env: DIABETES_SECONDARY_KEY}
    key_generation: {primary: 1, secondary: 1}
    num_replicas: 2
    scoring_timeout_ms: 60000
    replica_max_concurrent_requests: 8
    max_request_wait_time: 500
    collect_model_data: {enabled: true, sampling: 0.1}
    enable_app_insights: true
    ssl: {enabled: true, cname: score.example.org, cert: {keyvault: score-cert}, key: {keyvault: score-key}}
    golden:
      - {request: golden/diabetes.json, response: golden/diabetes.expected.json, tolerance: 1.0e-6}
    rollout: {strategy: blue_green}
  digits: {image: digits, target: here, port: 8891, auth_enabled: false}
"""
EXAMPLE_FILES = (
    "models/diabetes/sklearn_regression_model.pkl",
    "models/digits/digits.onnx",
    "entry_scripts/diabetes/score.py",
    "entry_scripts/diabetes/conda.yml",
    "entry_scripts/digits/score.py",
    "entry_scripts/digits/conda.yml",
    "golden/diabetes.json",
    "golden/diabetes.expected.json",
)
Load = Callable[..., Manifest]


@pytest.fixture
def read(tmp_path: Path) -> Load:
    root = make_project(tmp_path)

    def loaded(base: str, over: str | None = None) -> Manifest:
        (root / "manifest.yaml").write_text(base, encoding="utf-8")
        if over is not None:
            (root / "manifest.dev.yaml").write_text(over, encoding="utf-8")
        return load(root, "dev")

    return loaded


def test_the_example(tmp_path: Path) -> None:
    for name in EXAMPLE_FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    (tmp_path / "manifest.yaml").write_text(EXAMPLE, encoding="utf-8")
    manifest = load(tmp_path, "local")
    service = manifest.services["diabetes"]
    assert service.primary_key == ConfigRef(config="diabetesPrimaryKey")
    assert service.secondary_key == EnvRef(env="DIABETES_SECONDARY_KEY")
    assert service.ssl is not None
    assert service.ssl.key == KeyVaultRef(keyvault="score-key")
    assert service.golden[0].tolerance == 1e-6
    assert manifest.images["digits"].models == ("digits",)
    assert [name for name, target in manifest.targets.items() if isinstance(target, AksTarget)] == [
        "prod-cluster",
        "shared-cluster",
    ]


@pytest.mark.parametrize("stack", ["local", "dev", "prod"])
def test_the_repository_s_own_manifests(stack: str) -> None:
    assert load(REPOSITORY, stack).services


def test_everything(read: Load) -> None:
    manifest = read(EVERYTHING)
    assert manifest.models["m"].version == "3"
    assert manifest.models["m"].tags == {"approved": "true", "year": "2026"}
    assert manifest.models["folder"].properties == manifest.services["aci-one"].tags == {"team": "health"}
    assert manifest.images["one"].environment_variables == {
        "MODE": "fast",
        "WORKERS": "4",
        "TOKEN": EnvRef(env="TOKEN"),
    }
    edge = manifest.targets["devices"]
    assert isinstance(edge, EdgeTarget)
    assert edge.wait is not None
    assert (edge.wait.reported, edge.wait.timeout) == (90.0, 600)
    batch = manifest.targets["nightly"]
    assert isinstance(batch, BatchTarget)
    assert batch.min_nodes == 0
    many = manifest.services["aks-many"]
    assert many.rollout is not None
    assert many.rollout.bake_seconds == 300
    module = manifest.services["edge-one"].edge
    assert module is not None
    assert module.desired == {"threshold": 0.5, "nested": {"a": 1}}
    assert type(module.desired["threshold"]) is float


def test_views(read: Load) -> None:
    manifest = read(EVERYTHING)
    assert list(manifest.services_of("local")) == ["local-one", "docker-one"]
    assert list(manifest.services_on("cluster")) == ["aks-many", "aks-gpu"]
    assert list(manifest.targets_of("aks")) == ["cluster", "shared"]
    assert list(manifest.models_of("aks-many")) == ["folder", "run", "job"]
    assert manifest.image_of("aci-one") is manifest.images["one"]
    assert manifest.target_of("aci-one").type == "aci"
    assert list(manifest.images_on("batch", "edge")) == ["plain"]


def test_defaults_are_those_of_v1(read: Load) -> None:
    services = read(EVERYTHING).services
    local, aci, gpu, kube = (services[name] for name in ("docker-one", "aci-one", "aks-gpu", "kube-one"))
    assert (local.auth_enabled, aci.auth_enabled, gpu.auth_enabled, kube.auth_enabled) == (
        False,
        False,
        True,
        False,
    )
    assert (local.cpu_cores, local.memory_gb) == (None, None)
    assert (aci.cpu_cores, aci.memory_gb) == (1.0, 1.5)
    assert (gpu.cpu_cores, gpu.memory_gb, gpu.cpu_cores_limit, gpu.memory_gb_limit) == (0.1, 0.5, 0.1, 0.5)
    assert gpu.autoscale is None
    assert kube.num_replicas is None
    assert kube.autoscale is not None
    scale = kube.autoscale
    assert (scale.enabled, scale.min_replicas, scale.max_replicas) == (True, 1, 10)
    assert (scale.refresh_seconds, scale.target_utilization) == (1, 70)
    assert (local.scoring_timeout_ms, local.replica_max_concurrent_requests, local.max_request_wait_time) == (
        60000,
        1,
        500,
    )
    probes = gpu.probes
    assert (probes.initial_delay_seconds, probes.period_seconds, probes.failure_threshold) == (310, 10, 3)
    collected = services["local-one"].collect_model_data
    assert collected is not None
    assert (collected.enabled, collected.sampling) == (True, 1.0)


def test_autoscale_switched_off_means_one_replica(read: Load) -> None:
    text = EVERYTHING.replace("autoscale: {min_replicas: 2, max_replicas: 4}", "autoscale: {enabled: false}")
    service = read(text).services["aks-many"]
    assert service.num_replicas == 1
    assert service.autoscale is not None
    assert not service.autoscale.enabled


def test_overlay_moves_a_service(read: Load) -> None:
    over = """\
services:
  local-one: {target: devtest, port: null, num_replicas: null, rollout: null, golden: null,
              ssl: {cname: score.example.org, cert: {keyvault: cert}}, primary_key: {env: KEY}}
  docker-one: null
"""
    manifest = read(EVERYTHING, over)
    service = manifest.services["local-one"]
    assert "docker-one" not in manifest.services
    assert (service.target, service.port, service.golden) == ("devtest", None, ())
    assert service.primary_key == EnvRef(env="KEY")
    assert service.ssl is not None
    assert (service.ssl.cert, service.ssl.key) == (KeyVaultRef(keyvault="cert"), EnvRef(env="KEY"))
    assert service.key_generation.primary == 2


def test_empty_sections_and_an_overlay_without_differences(read: Load) -> None:
    assert read("version: 1\nmodels:\nservices:\n", "version: 1  # nothing differs\n").models == {}


def test_byte_order_mark_and_crlf(read: Load) -> None:
    assert (
        read("\ufeffversion: 1\r\nmodels:\r\n  m: {source: models/m.pkl}\r\n").models["m"].source
        == "models/m.pkl"
    )


def test_merge_keys(read: Load) -> None:
    manifest = read(
        "version: 1\nx-base: &base {source: models/m.pkl, description: base}\n"
        "models:\n  a: {<<: *base, description: own}\n  b: {<<: [*base], version: '2'}\n"
    )
    assert (manifest.models["a"].description, manifest.models["b"].description) == ("own", "base")


def test_models_are_frozen(read: Load) -> None:
    manifest = read(EVERYTHING)
    with pytest.raises(ValidationError):
        manifest.services["aci-one"].port = 1  # type: ignore[misc]


def test_manifest_files(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").touch()
    (tmp_path / "manifest.dev.yaml").touch()
    assert [path.name for path in manifest_files(tmp_path, "dev")] == ["manifest.yaml", "manifest.dev.yaml"]
    assert [path.name for path in manifest_files(tmp_path, "prod")] == ["manifest.yaml"]
