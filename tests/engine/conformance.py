"""Runs the programs of `programs/` on either engine and says what each step did.

A program file is a list of steps. A step begins with a line `#: <command> -> <expectations>`; the code below
it is the whole program from then on (no code: the program stays as it is).

Commands: `preview|up|refresh|destroy [flags]` (the CLI's flags; `{a}` is the URN of the tp Res named a),
`state delete {a}` and so on edit the record (`{other/a}` is the resource of another stack), `stack init NAME`,
`drop ID` and `edit ID key=json` change an object behind the engine's back, `config KEY VALUE [secret]`,
`write PATH TEXT` puts a file into the project, `append PATH TEXT` adds lines to one.
Expectations: `create=2` and so on, the whole change summary; `fail`; `"text"` that a message contains.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mldeploy.engine import Engine, EngineError, Options
from mldeploy.engine.project import secrets
from mldeploy.engine.state import edit, move
from mldeploy.engine.state.stack import Secrets, init_stack
from mldeploy.values.property_value import SECRET_SIG, SIG_KEY
from tests.engine.testprovider import TestProvider

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
PASSPHRASE = "conformance"
# One salt for all stacks: deriving a key takes half a second.
_salts: dict[int, str] = {}


def salt() -> str:
    """One for each number of rounds: tests without the CLI need not be slow to attack."""
    rounds = secrets.ROUNDS
    if rounds not in _salts:
        _salts[rounds] = secrets.new_salt(PASSPHRASE)
    return _salts[rounds]


@dataclass
class StepSpec:
    command: str
    args: list[str]
    changes: dict[str, int] | None
    fails: bool
    says: list[str]
    code: str | None
    line: int


@dataclass
class Outcome:
    ok: bool
    changes: dict[str, int]
    steps: Counter
    messages: str
    state: list[dict] = field(default_factory=list)
    objects: dict = field(default_factory=dict)


def load(path: Path) -> list[StepSpec]:
    specs: list[StepSpec] = []
    code: list[str] = []

    def flush() -> None:
        if specs:
            text = "\n".join(code).strip()
            specs[-1].code = text + "\n" if text else None
        code.clear()

    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.startswith("#:"):
            if specs:
                code.append(line)
            continue
        flush()
        left, _, right = line[2:].partition("->")
        words = shlex.split(left)
        changes: dict[str, int] | None = None
        fails, says = False, []
        for word in shlex.split(right, posix=False):
            if word == "fail":
                fails = True
            elif word == "none":
                changes = {}
            elif word[0] == '"':
                says.append(word[1:-1])
            else:
                name, _, count = word.partition("=")
                changes = changes or {}
                changes[name] = int(count)
        specs.append(StepSpec(words[0], words[1:], changes, fails, says, None, number))
    flush()
    return specs


class Workspace:
    """A project folder with its state and its outside world."""

    def __init__(self, folder: Path, name: str = "conf") -> None:
        self.folder = folder
        self.project = name
        self.state_url = f"file://{folder}/state"
        self.objects_dir = folder / "objects"
        (folder / "state").mkdir(parents=True)
        self.objects_dir.mkdir()
        shutil.copy(PROGRAMS / "tp.py", folder / "tp.py")
        plugins = f"plugins:\n  providers:\n    - name: tp\n      path: {HERE / 'bin'}\n"
        (folder / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n{plugins}")
        (folder / "Pulumi.dev.yaml").write_text(f"encryptionsalt: {salt()}\n")

    def urn(self, name: str) -> str:
        stack, _, name = name.rpartition("/")
        return f"urn:pulumi:{stack or 'dev'}::{self.project}::tp:index:Res::{name}"

    def salted(self, stack: str) -> None:
        """The settings of another stack."""
        (self.folder / f"Pulumi.{stack}.yaml").write_text(f"encryptionsalt: {salt()}\n")

    def expand(self, args: list[str]) -> list[str]:
        return [self.urn(a[1:-1]) if a.startswith("{") and a.endswith("}") else a for a in args]

    def outside(self, spec: StepSpec) -> None:
        """A step that is not an engine's."""
        if spec.command == "drop":
            (self.objects_dir / f"{spec.args[0]}.json").unlink()
        elif spec.command == "edit":
            path = self.objects_dir / f"{spec.args[0]}.json"
            data = json.loads(path.read_text())
            key, _, value = spec.args[1].partition("=")
            data["inputs"][key] = json.loads(value)
            path.write_text(json.dumps(data))
        elif spec.command == "config":
            self._config(*spec.args)
        elif spec.command == "append":
            with (self.folder / spec.args[0]).open("a") as file:
                file.write(spec.args[1].replace("\\n", "\n") + "\n")
        elif spec.command == "write":
            target = self.folder / spec.args[0]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(spec.args[1])
        else:
            raise ValueError(spec.command)

    def _config(self, key: str, value: str, secret: str = "") -> None:
        path = self.folder / "Pulumi.dev.yaml"
        text = path.read_text()
        if "config:" not in text:
            text += "config:\n"
        if secret:
            sealed = Secrets(PASSPHRASE).manager(salt()).crypter.encrypt(value)
            text += f"  {key}:\n    secure: {sealed}\n"
        else:
            text += f"  {key}: {json.dumps(value)}\n"
        path.write_text(text)

    def set_program(self, code: str) -> None:
        """Write the program as a person would, seconds apart: Python knows stale byte code by second and size."""
        file = self.folder / "__main__.py"
        before = file.stat().st_mtime if file.exists() else time.time()
        file.write_text(code)
        os.utime(file, (before + 2, before + 2))

    def state(self) -> list[dict]:
        """Resources of the checkpoints, normalised: no times, no positions, provider ids by name, secrets open."""
        stacks = self.folder / "state" / ".pulumi" / "stacks" / self.project
        return [item for file in sorted(stacks.glob("*.json")) for item in self._state(file)]

    def _state(self, file: Path) -> list[dict]:
        checkpoint = json.loads(file.read_bytes())
        deployment = checkpoint["checkpoint"].get("latest") or {}
        recorded = (deployment.get("secrets_providers") or {}).get("state") or {}
        crypter = Secrets(PASSPHRASE).manager(recorded["salt"]).crypter if recorded else None
        resources = list(deployment.get("resources") or [])
        for operation in deployment.get("pending_operations") or []:
            resources.append({"pending": operation["type"], **operation["resource"]})
        return normalise([opened(r, crypter) for r in resources])

    def form(self) -> tuple:
        """The checkpoint's format and its features."""
        file = self.folder / "state" / ".pulumi" / "stacks" / self.project / "dev.json"
        if not file.exists():
            return (3, None)
        checkpoint = json.loads(file.read_bytes())
        return (checkpoint["version"], checkpoint.get("features"))

    def objects(self) -> dict:
        return {p.stem: json.loads(p.read_text())["inputs"] for p in self.objects_dir.glob("*.json")}


def opened(value, crypter):
    """The JSON with its secrets decrypted: ciphertexts differ each time."""
    if isinstance(value, list):
        return [opened(item, crypter) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIG_KEY) == SECRET_SIG and "ciphertext" in value:
        return {SIG_KEY: SECRET_SIG, "plaintext": json.loads(crypter.decrypt(value["ciphertext"]))}
    return {key: opened(item, crypter) for key, item in value.items()}


def normalise(resources: list[dict]) -> list[dict]:
    providers = {r["id"]: r["urn"] for r in resources if r["type"].startswith("pulumi:providers:")}
    out = []
    for resource in resources:
        item = dict(resource)
        for key in ("created", "modified", "sourcePosition", "stackTrace"):
            item.pop(key, None)
        if item.get("id") in providers:
            item["id"] = "provider"
        if item["type"] == "pulumi:pulumi:StackReference":
            item.pop("id", None)
        if item.get("provider"):
            item["provider"] = item["provider"].rpartition("::")[0]
        for key in ("dependencies", "replaceWith"):
            if key in item:
                item[key] = sorted(item[key])
        if "propertyDependencies" in item:
            item["propertyDependencies"] = {k: sorted(v) for k, v in item["propertyDependencies"].items()}
        out.append(item)
    return sorted(
        out, key=lambda r: (r["urn"], r.get("delete", False), r.get("id", ""), r.get("pending", ""))
    )


def _collect(events: list[dict]) -> tuple[Counter, dict[str, int], str]:
    steps: Counter = Counter()
    changes: dict[str, int] = {}
    messages: list[str] = []
    for event in events:
        if "resourcePreEvent" in event:
            metadata = event["resourcePreEvent"]["metadata"]
            steps[metadata["op"], metadata["urn"]] += 1
        elif "summaryEvent" in event:
            changes = event["summaryEvent"]["resourceChanges"] or {}
        elif "diagnosticEvent" in event and event["diagnosticEvent"]["severity"] != "debug":
            messages.append(event["diagnosticEvent"]["message"])
        elif "policyEvent" in event:
            messages.append(event["policyEvent"]["message"])
    return steps, changes, "\n".join(messages)


def _shown(op: str, urn: str) -> bool:
    return op != "same" or "::pulumi:pulumi:Stack::" in urn


EDITS = {
    "delete": lambda a: edit.delete(a[0], force="--force" in a, target_dependents="--target-dependents" in a),
    "rename": lambda a: edit.rename(a[0], a[1]),
    "protect": lambda a: edit.mark(a, "protect", value=True),
    "unprotect": lambda a: edit.mark(a, "protect", value=False),
    "taint": lambda a: edit.mark(a, "taint", value=True),
    "untaint": lambda a: edit.mark(a, "taint", value=False),
}


class EmbeddedRunner:
    """The engine of this package, the provider inside it."""

    def __init__(self, workspace: Workspace, *, plugin: bool = False) -> None:
        self.workspace = workspace
        self._plugin = plugin

    def _edit(self, args: list[str]) -> Outcome:
        if args[0] == "move":
            failed = self._move(args[1:])
            state, objects = self.workspace.state(), self.workspace.objects()
            return Outcome(failed is None, {}, Counter(), str(failed or ""), state, objects)
        stack = edit.EditedStack(self.workspace.folder, "dev", self.workspace.state_url, PASSPHRASE)
        ok, message = True, ""
        try:
            stack.apply(EDITS[args[0]](args[1:]))
        except EngineError as error:
            ok, message = False, str(error)
        return Outcome(ok, {}, Counter(), message, self.workspace.state(), self.workspace.objects())

    def _move(self, urns: list[str]) -> EngineError | None:
        parents = "--include-parents" in urns
        named, dest = [a for a in urns if a.startswith("urn:")], urns[urns.index("--dest") + 1]
        folder, url = self.workspace.folder, self.workspace.state_url
        try:
            move.move(
                folder, "dev", dest, named, include_parents=parents, backend_url=url, passphrase=PASSPHRASE
            )
        except EngineError as error:
            return error
        return None

    def _init(self, stack: str) -> Outcome:
        self.workspace.salted(stack)
        init_stack(self.workspace.folder, stack, backend_url=self.workspace.state_url, passphrase=PASSPHRASE)
        return Outcome(True, {}, Counter(), "", self.workspace.state(), self.workspace.objects())

    def run(self, command: str, args: list[str]) -> Outcome:
        if command == "stack":
            return self._init(args[1])
        if command == "state":
            return self._edit(self.workspace.expand(args))
        events: list[dict] = []
        providers = {} if self._plugin else {"tp": lambda: TestProvider(self.workspace.objects_dir)}
        engine = Engine(
            self.workspace.folder,
            "dev",
            backend_url=self.workspace.state_url,
            passphrase=PASSPHRASE,
            sink=events.append,
            providers=providers,
        )
        result = getattr(engine, command)(embedded_options(self.workspace.expand(args)))
        steps, changes, messages = _collect(events)
        if command == "preview":
            # The CLI's digest leaves out the parts of a replacement and what stays the same.
            parts = ("create-replacement", "delete-replaced", "import-replacement", "discard-replaced")
            steps = Counter({k: v for k, v in steps.items() if k[0] not in parts and _shown(*k)})
        return Outcome(result.ok, changes, steps, messages, self.workspace.state(), self.workspace.objects())


def embedded_options(args: list[str]) -> Options:
    options = Options(parallel=4)
    queue = list(args)
    while queue:
        flag = queue.pop(0)
        if flag == "--target":
            options.targets.append(queue.pop(0))
        elif flag == "--exclude":
            options.excludes.append(queue.pop(0))
        elif flag == "--replace":
            options.replace.append(queue.pop(0))
        elif flag == "--parallel":
            options.parallel = int(queue.pop(0))
        elif flag in (
            "--refresh",
            "--target-dependents",
            "--expect-no-changes",
            "--continue-on-error",
            "--exclude-dependents",
            "--exclude-protected",
        ):
            setattr(options, flag[2:].replace("-", "_"), True)
        else:
            raise ValueError(flag)
    return options


class CliRunner:
    """The Pulumi CLI, the provider as a plugin."""

    def __init__(self, workspace: Workspace, home: Path) -> None:
        self.workspace = workspace
        python = HERE.parents[1] / ".venv" / "bin"
        self.env = {
            **os.environ,
            "PATH": f"{python}:{os.environ['PATH']}",
            "HOME": str(home),
            "PULUMI_HOME": str(home / ".pulumi"),
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_BACKEND_URL": workspace.state_url,
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "TP_ROOT": str(workspace.objects_dir),
            "TP_PYTHON": str(python / "python"),
        }
        self._made = False

    def _pulumi(self, *args: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["pulumi", *args],
            cwd=self.workspace.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def run(self, command: str, args: list[str]) -> Outcome:
        if not self._made:
            if not (self.workspace.folder / "state/.pulumi/stacks").exists():
                made = self._pulumi("stack", "init", "dev")
                assert made.returncode == 0, made.stderr
            self._made = True
        if command == "stack":
            self.workspace.salted(args[1])
        if command in ("state", "stack"):
            named = () if command == "stack" else ("--yes",)
            named += ("--source" if args[0] == "move" else "--stack", "dev") if command == "state" else ()
            done = self._pulumi(command, *self.workspace.expand(args), *named)
            state = self.workspace.state()
            return Outcome(done.returncode == 0, {}, Counter(), done.stderr, state, self.workspace.objects())
        flags = ["--stack", "dev", "--json", *self.workspace.expand(args)]
        if command == "preview":
            return self._preview(flags)
        flags += ["--yes", "--skip-preview"]
        if "--parallel" not in flags:
            flags += ["--parallel", "4"]
        done = self._pulumi(command, *flags)
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"sequence"')]
        steps, changes, messages = _collect(events)
        messages += done.stderr + done.stdout if not events else done.stderr
        return Outcome(
            done.returncode == 0, changes, steps, messages, self.workspace.state(), self.workspace.objects()
        )

    def _preview(self, flags: list[str]) -> Outcome:
        done = self._pulumi("preview", *flags)
        try:
            digest = json.loads(done.stdout)
        except ValueError:
            digest = {}
        steps = Counter(
            (s["op"], s["urn"])
            for s in digest.get("steps", [])
            if "pulumi:providers:tp::default" not in s["urn"]
        )
        messages = "\n".join(m["message"] for m in digest.get("diagnostics", []) if m["severity"] != "debug")
        return Outcome(
            done.returncode == 0,
            digest.get("changeSummary") or {},
            steps,
            messages + done.stderr + ("" if digest else done.stdout),
            self.workspace.state(),
            self.workspace.objects(),
        )


def check(spec: StepSpec, outcome: Outcome, where: str) -> None:
    """The outcome is what the program file says."""
    detail = f"{where}:{spec.line} {spec.command} {spec.args}\n{outcome.messages}\n{outcome.changes}"
    assert outcome.ok != spec.fails, detail
    if spec.changes is not None:
        assert outcome.changes == spec.changes, detail
    for text in spec.says:
        assert text in outcome.messages, detail
