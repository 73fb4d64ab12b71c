"""The pipelines that users copy: their schemas, their pins, and their shell steps run against a local stack."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.lifecycle.project import Project
from tests.pipelines.forge import serving_forge

ROOT = Path(__file__).resolve().parents[2]
GITHUB = sorted((ROOT / "pipelines/github").glob("*.yml"))
AZURE = ROOT / "pipelines/azure/azure-pipelines.yml"
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
SCHEMAS = {
    "github-workflows": GITHUB,
    "azure-pipelines": [AZURE],
    "dependabot": [ROOT / ".github/dependabot.yml"],
    "github-issue-forms": FORMS,
    "github-issue-config": [ROOT / ".github/ISSUE_TEMPLATE/config.yml"],
}


# The schema of Azure Pipelines has expressions of another dialect, and its files have template expressions.
EXTRA = {"azure-pipelines": ["--regex-variant", "python", "--data-transform", "azure-pipelines"]}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_schema(schema):
    pytest.importorskip(
        "check_jsonschema", reason="needs the package check-jsonschema, which has the schemas"
    )
    files = [str(path) for path in SCHEMAS[schema]]
    assert files
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    command += EXTRA.get(schema, []) + files
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def actionlint():
    """Checks expressions, contexts, rights and shell of workflows, which a schema cannot."""
    built = ROOT / ".cache/bin/actionlint"
    found = str(built) if built.exists() else shutil.which("actionlint")
    if found is None:
        pytest.skip("needs actionlint: `make pipeline-tools`")

    def run(*files):
        command = [found, "-no-color", "-oneline", *map(str, files)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    return run


def test_actionlint(actionlint):
    assert actionlint(*GITHUB) == (0, "")


@pytest.mark.parametrize(
    ("line", "faulty", "message"),
    [
        ("${{ matrix.stack }}", "${{ matrix.stak }}", 'property "stak" is not defined'),
        ("needs: dev", "needs: development", "does not exist"),
        ("id-token: write", "id-token: everything", "is invalid"),
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-24", "unknown"),
    ],
)
def test_actionlint_sees_mistakes(actionlint, tmp_path, line, faulty, message):
    text = next(text for path in GITHUB if line in (text := path.read_text()))
    file = tmp_path / "faulty.yml"
    file.write_text(text.replace(line, faulty))
    code, said = actionlint(file)
    assert code == 1
    assert message in said


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.stem)
def test_actions_are_pinned_and_rights_are_few(path):
    text = path.read_text()
    uses = re.findall(r"uses: (\S+)(.*)", text)
    assert uses
    for action, comment in uses:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), action
        assert re.match(r" # v\d", comment), f"{action} does not say its version"
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["permissions"]["id-token"] == "write"
        assert "timeout-minutes" in job
        for step in job["steps"]:
            # What an outsider can write (a title, a branch) must not become shell code.
            assert "${{" not in step.get("run", ""), step["name"]


def test_prod_waits_for_dev_and_an_approval():
    jobs = yaml.safe_load((ROOT / "pipelines/github/deploy.yml").read_text())["jobs"]
    assert jobs["prod"]["needs"] == "dev"
    assert jobs["prod"]["environment"] == "prod"
    assert not jobs["prod"]["concurrency"]["cancel-in-progress"]


def test_readme_explains_the_placeholders():
    text = (ROOT / "pipelines/README.md").read_text()
    assert "40 zeros" in text
    for path in GITHUB:
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            stacks = job.get("strategy", {}).get("matrix", {}).get("stack", [""])
            for stack in stacks:
                assert f"`{job['environment'].replace('${{ matrix.stack }}', stack)}`" in text, path
    for path in [*GITHUB, AZURE]:
        assert str(path.relative_to(ROOT / "pipelines")) in text


# --- the shell steps -------------------------------------------------------------------------------------


def github_steps(name, job):
    """The shell steps after the installation."""
    steps = yaml.safe_load((ROOT / f"pipelines/github/{name}.yml").read_text())["jobs"][job]["steps"]
    return {step["name"]: step["run"] for step in steps if "run" in step and step["name"] != "Install"}


def azure_steps(stage):
    """The steps of a stage."""
    stages = yaml.safe_load(AZURE.read_text())["stages"]
    (job,) = next(one for one in stages if one["stage"] == stage)["jobs"]
    return job.get("steps") or job["strategy"]["runOnce"]["deploy"]["steps"]


def azure_script(stage):
    """The commands of a stage's Azure CLI task."""
    return next(s["inputs"]["inlineScript"] for s in azure_steps(stage) if s.get("task") == "AzureCLI@2")


def azure_named(name):
    """The script of a step of the preview, by its name."""
    return next(step["script"] for step in azure_steps("preview") if step.get("displayName") == name)


@pytest.fixture
def forge():
    """GitHub and Azure Repos, as far as reports go."""
    with serving_forge() as found:
        yield found


@pytest.fixture
def runner(tmp_path, forge):
    """Runs shell code as a pipeline's agent would: in the project, with a forge that is the test's own."""
    project = Project(tmp_path / "project", tmp_path / "home", "embedded")
    project.echo()
    for name in ("policy", "pipelines"):
        (project.root / name).symlink_to(ROOT / name)
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python").symlink_to(sys.executable)
    (tools / "mldeploy").write_text(f'#!/bin/sh\nexec {sys.executable} -m mldeploy "$@"\n')
    (tools / "mldeploy").chmod(0o755)
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("PULUMI_", "MLDEPLOY_", "GITHUB_", "SYSTEM_"))
    }
    environment = kept | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "STACK": "local",
        "MLDEPLOY_HOME": str(tmp_path / "home"),
        "MLDEPLOY_ENGINE": "embedded",
        "GITHUB_REPOSITORY": "owner/repository",
        "GITHUB_API_URL": forge.address,
        "GH_TOKEN": forge.token,
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "PULL_REQUEST": "7",
        "NO_COLOR": "1",
    }

    def run(code, **more):
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", code]
        done = subprocess.run(
            command,
            cwd=project.root,
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    run.project, run.folder = project, tmp_path
    yield run
    if (project.root / ".pulumi-state").exists():
        project.run("destroy", "--yes")


def test_preview_steps(runner, forge):
    forge.comments[7] += [{"id": n, "body": f"comment {n} of somebody"} for n in range(150)]
    steps = github_steps("preview", "preview")
    for name, code in steps.items():
        status, said = runner(code)
        assert status == 0, f"{name}: {said}"
    assert "New service." in forge.comments[7][-1]["body"]
    report = runner.project.root / "preview.md"
    report.write_text(report.read_text() + "\nand more\n")
    assert runner(steps["Comment"]) == (0, "")
    assert len(forge.comments[7]) == 151, "the same comment, edited"
    assert forge.comments[7][-1]["body"].endswith("and more\n")
    status, said = runner(steps["Comment"], GH_TOKEN="of somebody else")
    assert status == 1
    assert said.startswith("error: GET repos/owner/repository/issues/7/comments") and "401" in said
    assert "somebody else" not in said


def test_the_comment_in_azure_repos(runner, forge):
    (runner.project.root / "preview.md").write_text("<!-- mldeploy preview local -->\n### Preview\n")
    variables = {
        "SYSTEM_COLLECTIONURI": f"{forge.address}/organisation/",
        "SYSTEM_TEAMPROJECT": "a project",
        "SYSTEM_ACCESSTOKEN": forge.token,
        "BUILD_REPOSITORY_ID": "r1",
        "SYSTEM_PULLREQUEST_PULLREQUESTID": "9",
    }
    assert runner(azure_named("Comment"), **variables) == (0, "")
    (runner.project.root / "preview.md").write_text("<!-- mldeploy preview local -->\n### Other\n")
    assert runner(azure_named("Comment"), **variables) == (0, "")
    (thread,) = forge.threads["a project", "r1", 9]
    assert [one["content"].splitlines()[1] for one in thread["comments"]] == ["### Other"]
    del variables["SYSTEM_ACCESSTOKEN"]
    assert runner(azure_named("Comment"), **variables) == (
        1,
        "error: SYSTEM_ACCESSTOKEN is not set; pass it to this step (see pipelines/README.md)\n",
    )


def test_drift_has_one_issue_that_is_closed_when_it_is_gone(runner, forge):
    steps = github_steps("drift", "drift")
    report = runner.project.root / "drift.md"
    for text in ("1 to update.", "2 to update."):
        report.write_text(f"<!-- mldeploy preview local -->\n{text}\n")
        assert runner(steps["Report"]) == (0, "")
    (issue,) = forge.issues
    assert (issue["title"], issue["state"]) == ("Drift in local", "open")
    assert "2 to update." in issue["body"]
    report.write_text("<!-- mldeploy preview local -->\nNothing changes.\n")
    assert runner(steps["Resolve"]) == (0, "")
    assert issue["state"] == "closed"
    assert "Nothing changes." in forge.comments[issue["number"]][-1]["body"]
    assert runner(steps["Resolve"]) == (0, ""), "nothing is open"
    report.write_text("<!-- mldeploy preview local -->\nagain\n")
    assert runner(steps["Report"]) == (0, "")
    assert [one["state"] for one in forge.issues] == ["closed", "open"]


@pytest.mark.reliability  # with a policy pack and a killed process: half a minute
def test_deploy_steps(runner, forge):
    for name, code in github_steps("deploy", "dev").items():
        status, said = runner(code)
        assert status == 0, f"{name}: {said}"
    assert "healthy" in (runner.folder / "summary.md").read_text()
    assert runner.project.states() == {"echo": "healthy"}
    # The drift check is content with what was just deployed, and is not once a process is gone.
    steps = github_steps("drift", "drift")
    status, said = runner(steps["Compare"])
    assert status == 0, said
    os.kill(int(runner.project.outputs("Replica")["pid"]), 9)
    status, said = runner(steps["Compare"])
    assert status == 1, said
    assert runner(steps["Report"])[0] == 0
    assert [one["title"] for one in forge.issues] == ["Drift in local"]


@pytest.mark.reliability
def test_azure_preview_script(runner):
    status, said = runner(azure_script("preview"))
    assert status == 0, said
    assert "New service." in (runner.project.root / "preview.md").read_text()


@pytest.mark.reliability
@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_azure_deploy_stage(runner, stage):
    """Both deployment stages, as the agent runs them; only the stack's name is the test's own."""
    status, said = runner(azure_script(stage))
    assert status == 0, said
    assert runner.project.states() == {"echo": "healthy"}
    assert said.count("healthy") == 2, "once by `up`, once by `status`"
    # On Mondays the preview stage looks for drift: content now, not when a process is gone.
    status, said = runner(azure_script("preview"), BUILD_REASON="Schedule")
    assert status == 0, said
    os.kill(int(runner.project.outputs("Replica")["pid"]), 9)
    assert runner(azure_script("preview"), BUILD_REASON="Schedule")[0] == 1


def test_azure_summary_step(runner):
    """The step that attaches the preview to the run's page."""
    script = azure_named("Summary")
    assert runner(script) == (0, "")
    (runner.project.root / "preview.md").write_text("x")
    assert runner(script)[1].startswith("##vso[task.uploadsummary]/")


def test_the_stages_run_the_same_commands():
    """Azure's deployment stages differ in the stack's name only, and do what GitHub's jobs do."""
    assert azure_script("dev") == azure_script("prod")
    wanted = [line for code in github_steps("deploy", "dev").values() for line in code.strip().splitlines()]
    wanted = [line.partition(" | ")[0] for line in wanted]
    assert azure_script("dev").strip().splitlines()[1:] == wanted
