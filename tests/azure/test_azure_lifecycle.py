"""The dev stack from nothing to nothing on the embedded engine: exactly which operations, and what Azure was asked."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from mldeploy.engine.base.options import Options
from mldeploy.engine.core.engine import Engine
from tests.azure import fakes, policy
from tests.azure.standin import arm_types

GOLDEN = Path(__file__).parent / "golden"
MODEL = "models/diabetes/sklearn_regression_model.pkl"
PIN = {"azure": {"deployer_principal_id": "33333333-3333-4333-8333-333333333333"}}


def changed(result):
    """The operations on resources that were not left alone, as {name: {operations}}."""
    assert result.ok, result.error
    found = {}
    for step in result.steps:
        if step["op"] not in ("same", "refresh"):
            found.setdefault(step["urn"].split("::")[-1], set()).add(step["op"])
    return found


def new_model(deployment):
    path = deployment.root / MODEL
    path.write_bytes(path.read_bytes() + b"\0")


def remove_service(deployment, name):
    """Take it out of both manifests; its model stays registered."""
    deployment.manifest(services={name: None})
    path = deployment.root / "manifest.yaml"
    shared = yaml.safe_load(path.read_text())
    del shared["services"][name]
    path.write_text(yaml.safe_dump(shared))


def _volumes(deployment):
    """The secret volumes that the diabetes service got last: a mark for each secret."""
    asked = [e for e in deployment.requests() if "/containerGroups/diabetes?" in e["url"] and e["body"]]
    return asked[-1]["body"]["properties"]["volumes"]


REPLACED = {"replace", "create-replacement", "delete-replaced"}


def test_dev_from_nothing_to_nothing(deploy, engine):
    stack = deploy(**PIN)
    stack.engine = engine
    first = stack.run("up")
    assert first.ok, first.error
    assert first.changes == {"create": 48}
    services = first.outputs["services"]
    assert re.fullmatch(
        r"http://mldeploy-dev-digits\.[0-9a-f]{16}\.westeurope\.azurecontainer\.io:5001/score",
        services["digits"]["scoring_uri"],
    )
    assert services["digits"]["swagger_uri"].endswith(":5001/swagger.json")
    creates = stack.requests()
    _check_golden("dev", creates)
    policy.check([entry["body"] | {"_type": entry["type"]} for entry in creates])
    _check_secrets(stack)
    asked = len(creates)

    assert changed(stack.run("up")) == {}
    assert changed(stack.run("refresh")) == {}
    assert len(stack.requests()) == asked, "an unchanged update asked Azure to change something"

    new_model(stack)
    assert changed(stack.run("up")) == {
        "diabetes-files": REPLACED,
        "diabetes-version": REPLACED,
        "diabetes-image-presence": {"update"},
        "diabetes-image-build": {"update"},
        "diabetes-group": {"update"},
        "diabetes-pull-proof": {"update"},
        "diabetes-gate": {"update"},
    }
    group = next(
        e for e in reversed(stack.requests()) if e["url"].split("?")[0].endswith("/containerGroups/diabetes")
    )
    assert "@sha256:" in group["body"]["properties"]["containers"][0]["properties"]["image"]

    stack.manifest(services={"diabetes": {"cpu_cores": 2}})
    preview = stack.run("preview")
    assert preview.changes.get("replace") == 2, "the group, and its gate after it"
    before = len(stack.requests())
    assert changed(stack.run("up")) == {
        "diabetes-shape": {"update"},
        "diabetes-group": REPLACED,
        "diabetes-gate": REPLACED,
    }
    methods = [entry["method"] for entry in stack.requests()[before:]]
    assert methods == ["DELETE", "PUT"], "a group is deleted first: its name and DNS label are taken"

    keys = {"primary": 2}
    volumes = _volumes(stack)
    stack.manifest(services={"diabetes": {"key_generation": keys}})
    assert changed(stack.run("up")) == dict.fromkeys(
        ("diabetes-keys", "diabetes-group", "diabetes-gate"), frozenset({"update"})
    )
    assert _volumes(stack) != volumes

    remove_service(stack, "diabetes")
    assert changed(stack.run("up")) == dict.fromkeys(
        (
            "diabetes", "diabetes-gate", "diabetes-group", "diabetes-identity", "diabetes-identity-of-service",
            "diabetes-identity-pull", "diabetes-image", "diabetes-image-build", "diabetes-image-presence",
            "diabetes-keys", "diabetes-pull-proof", "diabetes-shape",
        ),
        frozenset({"delete"}),
    )  # fmt: skip

    assert stack.run("destroy").ok
    assert stack.store.ids() == []
    assert stack.cloud.blobs == {}, "models are left in the storage account"


def test_a_vanished_image_is_pushed_again(deploy):
    stack = deploy()
    assert stack.run("up").ok
    (stack.cloud.folder / fakes.IMAGES_GONE).touch()
    assert stack.run("refresh").changes.get("delete") == 2
    (stack.cloud.folder / fakes.IMAGES_GONE).unlink()
    rebuilt = changed(stack.run("up"))
    assert rebuilt["diabetes-image-presence"] == {"create"}
    assert rebuilt["diabetes-image-build"] == {"update"}


def test_drift_is_found_and_repaired(deploy):
    stack = deploy()
    assert stack.run("up").ok
    (ident,) = [i for i in stack.store.ids() if i.endswith("/containerGroups/digits")]
    document = stack.store.get(ident)
    document["inputs"]["tags"]["env"] = "changed by hand"
    stack.store.put(ident, {key: value for key, value in document.items() if key != "id"})
    (files,) = [name for name in stack.cloud.blobs if name.endswith(".pkl")]
    del stack.cloud.blobs[files]
    refreshed = stack.run("refresh")
    assert refreshed.ok
    assert refreshed.changes.get("update") == 1
    repaired = changed(stack.run("up"))
    assert repaired["digits-group"] == {"update"}
    assert repaired["diabetes-files"] == {"create"}
    assert files in stack.cloud.blobs
    assert stack.store.get(ident)["inputs"]["tags"]["env"] == "dev"


def test_batch_moves_the_default_before_the_old_deployment_goes(deploy):
    stack = deploy(
        targets={"nightly": {"type": "batch", "location": "westeurope"}},
        services={"diabetes": {"target": "nightly", "cpu_cores": None, "memory_gb": None}},
    )
    path = stack.root / "manifest.yaml"
    shared = yaml.safe_load(path.read_text())
    for key in ("auth_enabled", "golden"):
        del shared["services"]["diabetes"][key]
    path.write_text(yaml.safe_dump(shared))
    first = stack.run("up")
    assert first.ok, first.error
    _check_golden(
        "batch", [e for e in stack.requests() if "batch" in e["url"].lower() or "/computes/" in e["url"]]
    )
    policy.check([entry["body"] | {"_type": entry["type"]} for entry in stack.requests()])
    before = len(stack.requests())
    new_model(stack)
    again = changed(stack.run("up"))
    assert again["diabetes-deployment"] == REPLACED
    assert again["diabetes-default"] == {"update"}
    order = [
        (entry["method"], entry["url"].split("/batchEndpoints/")[1].split("?")[0].split("/")[1:2])
        for entry in stack.requests()[before:]
        if "/batchEndpoints/" in entry["url"]
    ]
    assert order == [("PUT", ["deployments"]), ("PUT", []), ("DELETE", ["deployments"])]
    assert changed(stack.run("refresh")) == {}
    assert changed(stack.run("up")) == {}
    assert stack.run("destroy").ok
    assert stack.store.ids() == []


def _regions(stack):
    """Where each part of the batch service was asked for."""
    return {
        kind: entry["body"]["location"]
        for entry in stack.requests()
        for kind in ("batchEndpoints", "deployments", "computes")
        if entry["method"] == "PUT" and entry["url"].split("?")[0].split("/")[-2] == kind
    }


def test_a_batch_cluster_in_another_region_leaves_the_endpoint_at_the_workspace(deploy):
    stack = deploy(
        azure={"location": "westeurope"},
        targets={"devtest": None, "nightly": {"type": "batch", "location": "northeurope"}},
        services={
            "diabetes": {"target": "nightly", "cpu_cores": None, "memory_gb": None},
            "digits": None,
        },
    )
    path = stack.root / "manifest.yaml"
    shared = yaml.safe_load(path.read_text())
    del shared["services"]["digits"]
    for key in ("auth_enabled", "golden"):
        del shared["services"]["diabetes"][key]
    path.write_text(yaml.safe_dump(shared))
    first = stack.run("up")
    assert first.ok, first.error
    home = dict.fromkeys(("batchEndpoints", "deployments"), "westeurope")
    assert _regions(stack) == {**home, "computes": "northeurope"}

    stack.manifest(targets={"nightly": {"location": "uksouth"}})
    again = changed(stack.run("up"))
    assert again["diabetes-compute"] == REPLACED
    assert "diabetes-endpoint" not in again, "the address that clients call"
    assert _regions(stack) == {**home, "computes": "uksouth"}
    assert changed(stack.run("up")) == {}


def test_a_plan_needs_no_plugin_and_no_login(deploy, monkeypatch):
    stack = deploy()
    for name in stack.cloud.environment():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", os.path.dirname(shutil.which("sh")))
    result = Engine(stack.root, "dev", backend_url=stack.backend, passphrase="test").preview(Options())
    assert result.ok, result.error
    assert result.changes == {"create": 48}
    assert stack.requests() == []


def test_existing_parts_are_used_and_never_touched(deploy):
    base = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/shared/providers"
    existing = {
        "storage": f"{base}/Microsoft.Storage/storageAccounts/stshared",
        "registry": f"{base}/Microsoft.ContainerRegistry/registries/crshared",
        "log_analytics": f"{base}/Microsoft.OperationalInsights/workspaces/log-shared",
        "key_vault": f"{base}/Microsoft.KeyVault/vaults/kv-shared",
    }
    stack = deploy(azure={part: {"existing": ident} for part, ident in existing.items()})
    document = {"type": "seeded", "body": {"seeded": True}, "inputs": {}, "outputs": {}, "state": "Succeeded"}
    for ident in (base.removesuffix("/providers"), *existing.values()):
        stack.store.put(ident, document)
    assert stack.run("up").ok
    touched = {entry["url"].split("?")[0] for entry in stack.requests()}
    assert not touched & set(existing.values())
    assert any(
        url.startswith(existing["storage"] + "/blobServices/default/containers/models") for url in touched
    )
    assert stack.run("destroy").ok
    assert set(stack.store.ids()) == {base.removesuffix("/providers"), *existing.values()}


def _check_secrets(stack):
    """No key, certificate or connection string is readable in the state, the log or the request log."""
    state = stack.state_text()
    requests = (stack.cloud.folder / "requests.jsonl").read_text()
    for entry in stack.requests():
        if entry["type"].endswith("/containerGroups") and entry["body"].get("properties", {}).get(
            "ipAddress"
        ):
            assert "$secret" in json.dumps(entry["body"]["properties"]["volumes"])
    for text in (state, requests):
        assert "InstrumentationKey=" not in text
        assert '"primary": "' not in text.replace('"primary": "v1:', "")
    assert "ciphertext" in state


def _check_golden(name, requests):
    """Compare with the reviewed file; `UPDATE_GOLDEN=1` writes it anew."""
    shown = sorted(
        (
            {"method": entry["method"], "url": entry["url"], "body": entry["body"]}
            for entry in requests
            if entry["status"] < 300
        ),
        key=lambda entry: entry["url"],
    )
    text = json.dumps(shown, indent=1, sort_keys=True)
    for pattern, mark in (
        (r"sha256:[0-9a-f]{64}", "sha256:<digest>"),
        (r'("forceUpdateTag": ")[0-9a-f]{32}-[0-9a-f]{8}', r"\1<tag>-<epoch>"),
        (r"(mldeploy/[a-z-]+:)[0-9a-f]{32}", r"\1<tag>"),
        (r'("\$secret": ")[0-9a-f]{12}', r"\1<hash>"),
        (r"/deployments/d-[0-9a-f]{12}", "/deployments/d-<parts>"),
        (r'("deploymentName": ")d-[0-9a-f]{12}', r"\1d-<parts>"),
        (r"source/\d{4}\.tar\.gz", "source/<upload>"),
        (r"(roleAssignments/)[0-9a-f-]{36}", r"\1<uuid of scope, principal and role>"),
        (
            r"(versions/|-batch/|code-diabetes/|/environments/[a-z-]+/versions/)[0-9a-f]{12,64}",
            r"\1<content>",
        ),
        (r"(models/[a-z]+/|models/code-[a-z]+/|paths/[a-z]+/)[0-9a-f]{64}", r"\1<content>"),
        (r'("mldeploy.digest": ")[0-9a-f]{64}', r"\1<content>"),
    ):
        text = re.sub(pattern, mark, text)
    shown = sorted(json.loads(text), key=lambda entry: (entry["url"], json.dumps(entry, sort_keys=True)))
    text = json.dumps(shown, indent=1, sort_keys=True) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text)
    if not arm_types.available():
        pytest.skip("bodies need the Azure request types to be compared")
    assert text == path.read_text(), (
        f"what Azure is asked for changed: review it, then UPDATE_GOLDEN=1 writes {path}"
    )
