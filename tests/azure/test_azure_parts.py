"""The pure parts: VM sizes, ids, tags, names, build contexts; and what components refuse or say."""

import json
import stat
from pathlib import Path

import pytest

from components import naming
from components.foundation import ids as azure_ids
from components.targets.aks.args import Attach
from components.targets.aks.vm_sizes import check_vcpus, vcpus
from mldeploy.imaging import ContextModel, ContextSpec, render
from mldeploy.imaging.context import ImageError
from mldeploy.provider.azure import role_grant, roles
from mldeploy.provider.azure.build_source import pack
from mldeploy.provider.azure.registry import find_manifest
from mldeploy.provider.framework.resource import Context, ProvisionError
from tests.azure import harness, programs
from tests.azure.standin.rules import RULES
from tests.azure.standin.store import Store


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("Standard_D3_v2", 4), ("Standard_DS3_v2", 4), ("Standard_D4s_v5", 4), ("Standard_D12_v2", 4),
        ("Standard_D15_v2", 20), ("Standard_DS14_v2", 16), ("Standard_D2as_v4", 2), ("Standard_E8-4s_v5", 4),
        ("Standard_F16s_v2", 16), ("Standard_NC6s_v3", 6), ("Standard_NC4as_T4_v3", 4), ("Standard_B2ms", 2),
        ("Standard_GS5", 32), ("standard_d4S_V5", 4), ("Standard_NC24ads_A100_v4", 24), ("Standard_A8m_v2", 8),
        ("Standard_ND96isr_H100_v5", 96), ("Standard_L8s_v3", 8), ("Standard_M128s", 128), ("Standard_D4ps_v6", 4),
    ],
)  # fmt: skip
def test_vcpus_from_the_name(size, expected):
    assert vcpus(size) == expected


@pytest.mark.parametrize("size", ["", "D", "Standard_", "Standard_D9_v2", "large", "Standard D4"])
def test_unknown_sizes_ask_for_the_number(size):
    with pytest.raises(ValueError, match="vcpus"):
        vcpus(size)


def test_twelve_vcpus():
    assert check_vcpus(3, "Standard_D3_v2", "fast_prod") == 12
    assert check_vcpus(1, "Standard_D2s_v5", "dev_test") == 2
    assert check_vcpus(2, "Standard_New99_v9", "fast_prod", known=6) == 12
    with pytest.raises(ValueError, match=r"agent_count 2 x 4 vCPUs of Standard_D3_v2 = 8.*agent_count 3"):
        check_vcpus(2, "Standard_D3_v2", "fast_prod")


def test_ids_and_tags():
    found = azure_ids.parse(programs.STORAGE, "Microsoft.Storage/storageAccounts")
    assert (found.group, found.name) == ("rg", "stexample")
    with pytest.raises(ValueError, match=r"no resource id of Microsoft.KeyVault/vaults"):
        azure_ids.parse(programs.STORAGE, "Microsoft.KeyVault/vaults")
    assert azure_ids.standard_tags("p", "s", {"a": "b"}) == {
        "managed-by": "mldeploy", "project": "p", "stack": "s", "a": "b",
    }  # fmt: skip


def test_tags_that_differ_by_case_are_one():
    assert azure_ids.standard_tags("p", "s", {"Project": "q", "env": "x"}, {"Env": "y"}) == {
        "managed-by": "mldeploy", "stack": "s", "Project": "q", "Env": "y",
    }  # fmt: skip


def test_role_assignments_are_named_by_what_they_say():
    def name(stack="dev", scope=programs.REGISTRY, principal=programs.PRINCIPAL):
        ctx = Context(root=Path(), urn=f"urn:pulumi:{stack}::mldeploy::type::name")
        said = {"scope": scope, "principal_id": principal, "role": "AcrPull"}
        return role_grant._ident(ctx, role_grant.RoleGrant.fields.decode(said)).rsplit("/", 1)[-1]

    assert name() == name(scope=programs.REGISTRY.upper())
    assert name() != name(principal=programs.CLIENT)
    assert name() != name(stack="prod"), "one stack would delete the other's"
    assert roles.definition(programs.REGISTRY, "AcrPull").startswith("/subscriptions/11111111-")


@pytest.mark.parametrize(
    "project", ["a", "mldeploy", "Ein sehr langer Name mit Umlauten äöü und noch mehr davon", "9lives"]
)
def test_global_names_fit(project):
    for scope in ("11111111-1111-4111-8111-111111111111", "22222222-1111-4111-8111-111111111111"):
        assert len(naming.storage_account(project, "prod", scope)) <= 24
        assert len(naming.container_registry(project, "prod", scope)) <= 50
    names = {naming.storage_account(project, "prod", scope) for scope in ("a", "b")}
    assert len(names) == 2, "two subscriptions would fight for one name"


def test_there_are_enough_service_rules_and_each_has_a_source():
    own = [rule for rule in RULES if "resource-name-rules" not in rule.source]
    assert len(own) >= 25
    listed = (Path(__file__).parent / "standin/README.md").read_text("utf-8")
    for rule in own:
        assert f"| {rule.find.__doc__} | [" in listed, f"{rule.find.__name__} is not in the README"
        assert f"]({rule.source}) |" in listed
    assert all(rule.source.startswith("https://learn.microsoft.com/") for rule in RULES)


# --- attach ------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(tmp_path):
    def make(count, size="Standard_D4s_v5"):
        pools = [
            {"name": "system", "mode": "System", "count": 2, "vmSize": size},
            {"name": "work", "mode": "User", "count": count, "vmSize": size},
        ]
        ident = f"{programs.GROUP}/providers/Microsoft.ContainerService/managedClusters/shared"
        outputs = {
            "name": "shared", "fqdn": "shared.example.org", "nodeResourceGroup": "MC_x", "location": "westeurope",
            "agentPoolProfiles": pools, "oidcIssuerProfile": {"issuerURL": "https://issuer.example.org/"},
            "identityProfile": {"kubeletidentity": {"objectId": programs.PRINCIPAL}},
            "type": "x", "provisioningState": "Succeeded",
        }  # fmt: skip
        Store(tmp_path).put(
            ident, {"type": "x", "body": {}, "inputs": {}, "outputs": outputs, "state": "Succeeded"}
        )
        return tmp_path

    return make


def test_attach_changes_nothing(cluster):
    folder = cluster(3)
    found = {}

    def program():
        attached = programs.aks(attach=Attach(resource_group="rg", cluster_name="shared"))
        attached.kubeconfig.apply(lambda text: found.update(kubeconfig=json.loads(text)))
        attached.oidc_issuer_url.apply(lambda text: found.update(issuer=text))

    recorded = harness.run(program, folder, preview=False)
    assert recorded.error is None
    assert [item.type for item in recorded.resources] == [
        "mldeploy:azure:AksCluster",
        "mldeploy:azure:RoleGrant",
    ], "its nodes may pull from the stack's registry, and nothing else"
    assert found["kubeconfig"]["users"][0]["user"]["exec"]["command"] == "kubelogin"
    assert found["issuer"] == "https://issuer.example.org/"
    assert Store(folder).requests() == []


def test_attach_counts_what_is_there(cluster):
    folder = cluster(2)
    recorded = harness.run(
        lambda: programs.aks(attach=Attach(resource_group="rg", cluster_name="shared")), folder
    )
    assert recorded.error is not None
    assert "8 vCPUs (work: 2 x Standard_D4s_v5)" in str(recorded.error)
    waived = Attach(resource_group="rg", cluster_name="shared", cluster_purpose="dev_test")
    assert harness.run(lambda: programs.aks(attach=waived), folder).error is None


# --- build contexts ------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))

    def make(where):
        root = tmp_path / where
        (root / "scripts/sub").mkdir(parents=True)
        (root / "scripts/score.py").write_text("def init(): pass\ndef run(x): return x\n")
        (root / "scripts/sub/helper.py").write_text("A = 1\n")
        (root / "scripts/notes.secret").write_text("not for the image")
        (root / "scripts/.amlignore").write_text("*.secret\n")
        (root / "scripts/conda.yml").write_text("dependencies: [python=3.11, {pip: [numpy>=2]}]\n")
        (root / "models").mkdir()
        (root / "models/m.bin").write_bytes(b"model")
        return root

    return make


def spec(**changes):
    given = {
        "image": "one", "source_directory": "scripts", "entry_script": "score.py", "conda_file": "conda.yml",
        "models": [ContextModel(name="m", version="1", source="models/m.bin")],
    }  # fmt: skip
    return ContextSpec(**given | changes)


def test_equal_sources_are_equal_contexts(project):
    first, second = project("a"), project("b/c")
    made = render(first, spec())
    assert made.digest == render(second, spec()).digest
    assert pack(first / made.folder) == pack(second / made.folder)
    folder = first / made.folder
    assert stat.S_IMODE((folder / "Dockerfile").stat().st_mode) == 0o644
    assert (folder / "models/m/1/m.bin").read_bytes() == b"model"
    assert not (folder / "source/notes.secret").exists()
    text = (folder / "Dockerfile").read_text()
    assert (
        "ARG BASE_IMAGE=mcr.microsoft.com/devcontainers/python:1-3.11-bookworm\nFROM ${BASE_IMAGE} AS environment"
        in text
    )
    assert "USER 10001:10001" in text
    assert "HEALTHCHECK" in text
    assert text.index("COPY --from=environment") < text.index("COPY serving") < text.index("COPY source")
    assert text.index("COPY source") < text.index("COPY models"), "the model must be the last layer"
    assert "conda" not in text
    assert (
        "--mount=type=secret"
        not in (second / render(second, spec(build_secrets=False)).folder / "Dockerfile").read_text()
    )


def test_a_new_model_changes_the_last_layer_only(project):
    root = project("a")
    before = render(root, spec())
    old = (root / before.folder / "Dockerfile").read_text()
    (root / "models/m.bin").write_bytes(b"other")
    after = render(root, spec(models=[ContextModel(name="m", version="2", source="models/m.bin")]))
    assert after.digest != before.digest
    new = (root / after.folder / "Dockerfile").read_text()
    upto = old.index("COPY models")
    assert old[:upto] == new[:upto]
    assert not (root / after.folder / "models/m/1").exists(), "the old version is still in the context"


def test_empty_folders_of_a_model_are_in_the_image(project):
    root = project("a")
    (root / "models/m/cache $HOME/deep").mkdir(parents=True)
    (root / "models/m/weights.bin").write_bytes(b"model")
    model = ContextModel(name="m", version="1", source="models/m")
    text = (root / render(root, spec(models=[model])).folder / "Dockerfile").read_text()
    line = 'RUN ["mkdir", "-p", "/opt/azureml-models/m/1/m/cache $HOME/deep"]'
    assert text.index(line) < text.index("USER 10001:10001") < text.index("COPY models")
    (root / "models/m/cache $HOME/deep/x").touch()
    assert "mkdir" not in (root / render(root, spec(models=[model])).folder / "Dockerfile").read_text()


def test_removed_sources_leave_the_context(project):
    root = project("a")
    made = render(root, spec())
    (root / "scripts/sub/helper.py").unlink()
    again = render(root, spec())
    assert again.digest != made.digest
    assert not (root / made.folder / "source/sub").exists()


def test_packages_that_only_conda_has_bring_micromamba(project):
    root = project("a")
    (root / "scripts/conda.yml").write_text("dependencies: [python=3.11, cudatoolkit=11.8]\n")
    text = (root / render(root, spec()).folder / "Dockerfile").read_text()
    assert "micromamba create" in text
    assert "COPY --from=environment /opt/conda /opt/conda" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dependencies: [{pip: ['--index-url https://user:pw@example.org/simple', numpy]}]\n", "credentials"),
        ("dependencies: [python=2.7]\n", "3.10"),
        ("dependencies: nothing\n", "list"),
    ],
)
def test_conda_files_that_cannot_be_built(project, content, message):
    root = project("a")
    (root / "scripts/conda.yml").write_text(content)
    with pytest.raises(ImageError, match=message) as error:
        render(root, spec())
    assert "user:pw" not in str(error.value)


def test_a_registry_that_does_not_answer_is_no_proof_of_absence():
    with pytest.raises(ProvisionError, match=r"cannot be asked"):
        find_manifest("127.0.0.1:9", "mldeploy/x", "tag")
