"""Random programs with edits, run on both engines: every difference is shrunk to a small program.

    python -m tests.engine.generator --programs 200 --edits 3 --together 25 --seed 1

A program is a list of resources as JSON, made by `programs/generated.py`. Programs that cannot fail share a stack
(`--together`): their resources do not know each other, so one run of each engine compares them all. `--failing`
makes programs with providers that fail, each in a stack of its own; `--alternate` lets the engines take turns on one
stack and ends with a preview of the other one that may find no changes. `--record FILE` writes digests of what the
CLI did, for machines without it.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.engine.conformance import PROGRAMS, CliRunner, EmbeddedRunner, Outcome, Workspace

Spec = list[dict]
KINDS = ("Res", "Res", "Res", "Other", "group")
LITERALS = (0, 1, 2.5, "x", "", True, None, [1, "a"], {"k": 1, "deep": {"l": [1, 2]}}, [], {})


@dataclass
class Shape:
    """What generated programs may hold."""

    prefix: str = ""
    failing: bool = False
    counter: int = 0

    def name(self) -> str:
        self.counter += 1
        return f"{self.prefix}r{self.counter}"


def literal(rng: random.Random, made: list[dict], depth: int = 0):
    """A value: plain, secret, or another resource's output."""
    refs = [spec["name"] for spec in made if spec["kind"] in ("Res", "Other")]
    roll = rng.random()
    if refs and roll < 0.35:
        return {"$ref": rng.choice(refs), "of": rng.choice(("computed", "id", "generation", "urn"))}
    if roll < 0.45:
        return {"$secret": rng.choice(LITERALS)}
    if roll < 0.55 and depth < 2:
        return {"in": literal(rng, made, depth + 1), "beside": rng.choice(LITERALS)}
    return copy.deepcopy(rng.choice(LITERALS))


def options(rng: random.Random, kind: str, made: list[dict]) -> dict:
    """Options of a new resource, each with a small chance."""
    found: dict = {}

    def maybe(chance: float, key: str, value) -> None:
        if value is not None and rng.random() < chance:
            found[key] = value

    def names(*kinds: str) -> list[str]:
        return [spec["name"] for spec in made if spec["kind"] in kinds]

    def one(*kinds: str) -> str | None:
        return rng.choice(names(*kinds)) if names(*kinds) else None

    maybe(0.35, "parent", one("group", "group", "Res"))
    above = ancestors(made, found.get("parent", ""))
    free = [
        name for name in names("Res", "Other") if name not in above
    ]  # Python's SDK takes others for circles
    maybe(0.2, "depends_on", [rng.choice(free)] if free else None)
    maybe(0.08, "retain_on_delete", rng.random() < 0.7)
    maybe(0.08, "deleted_with", one("Res", "Other"))
    if kind == "group":
        maybe(0.15, "providers", [one("provider")] if names("provider") else None)
        return found
    maybe(0.2, "provider", one("provider"))
    maybe(0.1, "delete_before_replace", rng.random() < 0.8)
    maybe(0.08, "ignore_changes", [rng.choice(("value", "extra", "value.in", "missing", "*"))])
    maybe(0.08, "replace_on_changes", [rng.choice(("value", "extra", "value.in", "*"))])
    maybe(0.06, "additional_secret_outputs", [rng.choice(("computed", "value"))])
    maybe(0.06, "replace_with", [one("Res", "Other")] if names("Res", "Other") else None)
    maybe(0.05, "hide_diffs", [rng.choice(("value", "value.in", 'value["x y"]'))])
    maybe(0.04, "custom_timeouts", {"create": "5m", "update": "1h30m"})
    maybe(0.05, "replacement_trigger", rng.choice((1, "t", [1, 2])))
    maybe(0.05, "version", "1.0.0")
    return found


def ancestors(made: list[dict], name: str) -> set[str]:
    """The resource and what it is below of."""
    parents = {spec["name"]: spec["options"].get("parent", "") for spec in made}
    found: set[str] = set()
    while name and name not in found:
        found.add(name)
        name = parents.get(name, "")
    return found


def resource(rng: random.Random, shape: Shape, made: list[dict]) -> dict:
    """A new resource that may need those already made."""
    kind = rng.choice(KINDS) if rng.random() > 0.07 else "provider"
    spec: dict = {"kind": kind, "name": shape.name(), "options": options(rng, kind, made)}
    if kind == "provider":
        spec["options"] = {}
        spec["props"] = {"region": rng.choice(("eu", "us")), "label": rng.choice("ab")}
    elif kind != "group":
        spec["props"] = {"value": literal(rng, made)}
        if rng.random() < 0.4:
            spec["props"]["extra"] = literal(rng, made)
        for key in ("force", "dbr"):
            if rng.random() < 0.12:
                spec["props"][key] = literal(rng, made)
        if shape.failing and rng.random() < 0.12:
            spec["props"]["fail"] = [rng.choice(("create", "update", "delete", "check", "diff", "init"))]
    if rng.random() < 0.2:
        spec["export"] = True
    return spec


def program(rng: random.Random, shape: Shape) -> Spec:
    """A new program."""
    made: Spec = []
    for _ in range(rng.randint(2, 8)):
        made.append(resource(rng, shape, made))
    return made


def edit(rng: random.Random, spec: Spec, shape: Shape) -> Spec:
    """The program after one to three changes that a person could make."""
    spec = copy.deepcopy(spec)
    for _ in range(rng.randint(1, 3)):
        _change(rng, spec, shape)
    return spec


def _change(rng: random.Random, spec: Spec, shape: Shape) -> None:
    if not spec or rng.random() < 0.2:
        place = rng.randint(0, len(spec))
        spec.insert(place, resource(rng, shape, spec[:place]))
        return
    place = rng.randrange(len(spec))
    item = spec[place]
    roll = rng.random()
    if roll < 0.2:
        remove(spec, item["name"])
    elif roll < 0.3:
        _rename(rng, spec, item, shape)
    elif roll < 0.4:
        item["options"] = {
            **options(rng, item["kind"], spec[:place] if item["kind"] != "provider" else []),
            **({"parent": item["options"]["parent"]} if "parent" in item["options"] else {}),
        }
        if item["kind"] == "provider":
            item["options"] = {}
    elif roll < 0.45 and item["kind"] in ("Res", "Other") and item["props"]:
        item["props"].pop(rng.choice(list(item["props"])))
    elif "props" in item:
        key = rng.choice(("value", "value", "extra", "force", "dbr"))
        if item["kind"] == "provider":
            item["props"][rng.choice(("region", "label"))] = rng.choice(("eu", "us", "x"))
        else:
            item["props"][key] = literal(rng, spec[:place])
            if shape.failing and rng.random() < 0.3:
                item["props"].pop("fail", None)


def _rename(rng: random.Random, spec: Spec, item: dict, shape: Shape) -> None:
    """With an alias, most times; without one it is another resource."""
    old, new = item["name"], shape.name()
    text = json.dumps(spec).replace(f'"{old}"', f'"{new}"')
    spec[:] = json.loads(text)
    if rng.random() < 0.8:
        renamed = next(entry for entry in spec if entry["name"] == new)
        renamed["options"]["aliases"] = [{"name": old}]


def remove(spec: Spec, name: str) -> None:
    """Take a resource out, and every mention of it."""
    spec[:] = [item for item in spec if item["name"] != name]
    for item in spec:
        opts = item["options"]
        for key in ("parent", "provider", "deleted_with"):
            if opts.get(key) == name:
                del opts[key]
        for key in ("depends_on", "replace_with", "providers"):
            if name in opts.get(key, ()):
                del opts[key]
        for key, given in list(item.get("props", {}).items()):
            if f'"$ref": "{name}"' in json.dumps(given):
                item["props"][key] = "gone"


def source(spec: Spec) -> str:
    """The program's text."""
    return (
        f"import json\n\nfrom generated import build\n\nbuild(json.loads({json.dumps(json.dumps(spec))}))\n"
    )


@dataclass
class Compared:
    """What differed, in words; `names` are resources whose steps or states do."""

    words: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


def compare(mine: Outcome, other: Outcome) -> Compared:
    """Steps, states, objects, exit codes and outputs of the two engines."""
    found = Compared()

    def differ(what: str, urn: str, ours, theirs) -> None:
        found.words.append(f"{what} {urn}: embedded {ours!r}, cli {theirs!r}")
        found.names.add(urn.rpartition("::")[2])

    if mine.ok != other.ok:
        differ("result", "", mine.ok, other.ok)
    for key in sorted({*mine.steps, *other.steps}):
        if mine.steps[key] != other.steps[key]:
            differ(f"step {key[0]}", key[1], mine.steps[key], other.steps[key])
    ours, theirs = _by_urn(mine.state), _by_urn(other.state)
    for urn in sorted({*ours, *theirs}):
        if ours.get(urn) != theirs.get(urn):
            differ("state", urn, ours.get(urn), theirs.get(urn))
    for name in sorted({*mine.objects, *other.objects}):
        if mine.objects.get(name) != other.objects.get(name):
            differ("object", name.rpartition("-")[0], mine.objects.get(name), other.objects.get(name))
    return found


def digest(outcome: Outcome) -> str:
    """One line for all that is compared."""
    steps = sorted([op, urn, count] for (op, urn), count in outcome.steps.items())
    text = json.dumps([outcome.ok, steps, outcome.state, outcome.objects], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _by_urn(state: list[dict]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for item in state:
        found.setdefault(item["urn"], []).append(item)
    return found


def workspace(folder: Path) -> Workspace:
    """A project for generated programs."""
    made = Workspace(folder)
    shutil.copy(PROGRAMS / "generated.py", made.folder / "generated.py")
    return made


def run_both(sequence: list[Spec], args: list[str]) -> tuple[int, Compared]:
    """The sequence on each engine with a stack of its own; the first step that differs (-1: none)."""
    with tempfile.TemporaryDirectory(prefix="generated") as folder:
        ours, theirs = workspace(Path(folder) / "embedded"), workspace(Path(folder) / "cli")
        embedded, cli = EmbeddedRunner(ours), CliRunner(theirs, Path(folder) / "home")
        ended: list[str] = []
        digests: list[str] = []
        for number, spec in enumerate(sequence):
            ours.set_program(source(spec))
            theirs.set_program(source(spec))
            mine = embedded.run("up", args)
            other = cli.run("up", args)
            found = compare(mine, other)
            digests.append(digest(other))
            found.digests = digests
            ended.append(f"{'ok' if mine.ok else 'failed'} {sum(mine.changes.values())}")
            found.ended = ended
            if ours.form() != theirs.form():
                found.words.append(f"format: embedded {ours.form()}, cli {theirs.form()}")
            if found.words:
                return number, found
        return -1, found


def run_alternating(sequence: list[Spec]) -> list[str]:
    """Both engines on one stack, by turns; at the end the other one may find nothing to change."""
    with tempfile.TemporaryDirectory(prefix="alternating") as folder:
        both = workspace(Path(folder) / "both")
        runners = [EmbeddedRunner(both), CliRunner(both, Path(folder) / "home")]
        CliRunner(both, Path(folder) / "home").run("preview", [])
        for number, spec in enumerate(sequence):
            both.set_program(source(spec))
            for runner, command, args in (
                (runners[number % 2], "up", []),
                (runners[(number + 1) % 2], "preview", ["--expect-no-changes"]),
            ):
                outcome = runner.run(command, args)
                if not outcome.ok:
                    return [f"step {number}, {type(runner).__name__} {command}: {outcome.messages[-1500:]}"]
    return []


def shrink(sequence: list[Spec], args: list[str], tries: int = 12) -> list[Spec]:
    """A smaller sequence that still differs: fewer steps, then fewer resources."""
    best = sequence
    for name in {item["name"] for spec in sequence for item in spec}:
        if tries <= 0:
            break
        smaller = copy.deepcopy(best)
        for spec in smaller:
            remove(spec, name)
        tries -= 1
        if run_both(smaller, args)[0] >= 0:
            best = smaller
    return best


def sequences(rng: random.Random, count: int, edits: int, *, failing: bool) -> list[list[Spec]]:
    """`count` programs with their edits."""
    made: list[list[Spec]] = []
    for number in range(count):
        shape = Shape(f"p{number}", failing)
        steps = [program(rng, shape)]
        for _ in range(edits):
            steps.append(edit(rng, steps[-1], shape))
        made.append(steps)
    return made


def together(group: list[list[Spec]]) -> list[Spec]:
    """Several programs in one stack."""
    return [[item for steps in group for item in steps[number]] for number in range(len(group[0]))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=50)
    parser.add_argument("--edits", type=int, default=3)
    parser.add_argument("--together", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--failing", action="store_true")
    parser.add_argument("--alternate", action="store_true")
    parser.add_argument("--record", type=Path, help="where digests of the CLI's results are written")
    parser.add_argument("--out", type=Path, help="where differences are written")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    args = ["--continue-on-error"] if options.failing and options.seed % 2 else []
    made = sequences(rng, options.programs, options.edits, failing=options.failing)
    size = 1 if options.failing else options.together
    differing = 0
    recorded: list[list[str]] = []
    for start in range(0, len(made), size):
        group = made[start : start + size]
        if options.alternate:
            words = run_alternating(together(group))
            found = Compared(words)
        else:
            found = run_both(together(group), args)[1]
        last = start + len(group) - 1
        print(
            f"programs {start} to {last}: {len(found.words)} differences ({', '.join(found.ended)})",
            flush=True,
        )
        for line in found.words[:12]:
            print("  " + line[:600], flush=True)
        differing += bool(found.words)
        recorded.append(found.digests)
        if found.words and options.out:
            wanted = {
                f"p{n}"
                for n in range(start, start + len(group))
                if any(x.startswith(f"p{n}r") for x in found.names)
            }
            kept = [steps for n, steps in enumerate(group, start) if f"p{n}" in wanted] or group
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / f"{options.seed}-{start}.json").write_text(json.dumps(kept))
    if options.record:
        named = ("programs", "edits", "together", "seed")
        settings = {name: getattr(options, name) for name in named}
        options.record.write_text(json.dumps({**settings, "digests": recorded}, indent=1) + "\n")
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main())
