"""`mldeploy up`, `preview`, `refresh` and `destroy`."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mldeploy.cli.guards import not_emptied
from mldeploy.cli.operation import EngineChoice, Operation, Outcome, Runner, RunOptions
from mldeploy.cli.options import (
    DEFAULT_STACK,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    CreateOption,
    JsonOption,
    ProjectOption,
    StackOption,
)
from mldeploy.cli.options import session as open_session
from mldeploy.cli.runner import prepare
from mldeploy.engine.base.errors import EngineError
from mldeploy.manifest import load
from mldeploy.session import Session

EngineOption = Annotated[
    EngineChoice,
    typer.Option(
        "--engine", envvar="MLDEPLOY_ENGINE", help="auto: `pulumi` when it is on PATH, else embedded."
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Implied without a terminal.")]
DiffOption = Annotated[bool, typer.Option("--diff", help="Show every changed property.")]
RefreshOption = Annotated[bool, typer.Option("--refresh", help="Read what is really there first.")]
ExpectOption = Annotated[bool, typer.Option("--expect-no-changes", help="Fail when anything would change.")]
ParallelOption = Annotated[
    int, typer.Option("--parallel", "-p", min=0, help="Steps at a time; 0: the engine's own.")
]
TargetOption = Annotated[list[str] | None, typer.Option("--target", "-t", help="Only this resource's URN.")]
ExcludeOption = Annotated[list[str] | None, typer.Option("--exclude", help="All but this resource's URN.")]
TargetDependentsOption = Annotated[
    bool, typer.Option("--target-dependents", help="With --target: and what needs it.")
]
ExcludeDependentsOption = Annotated[
    bool, typer.Option("--exclude-dependents", help="With --exclude: and what needs it.")
]
ReplaceOption = Annotated[list[str] | None, typer.Option("--replace", help="Replace this resource's URN.")]
ContinueOption = Annotated[
    bool, typer.Option("--continue-on-error", help="Go on with what does not need what failed.")
]
ExcludeProtectedOption = Annotated[
    bool, typer.Option("--exclude-protected", help="Leave protected resources alone, and what they need.")
]
PackConfigOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--policy-pack-config", exists=True, dir_okay=False, help="Settings of a policy pack (JSON)."
    ),
]
MarkdownOption = Annotated[
    Path | None,
    typer.Option(
        "--markdown", help="Also write a comment for a pull request to this file; '-': print it instead."
    ),
]
AllowEmptyOption = Annotated[
    bool, typer.Option("--allow-empty", help="Go on although this deletes every service of the stack.")
]
PackOption = Annotated[
    list[Path] | None,
    typer.Option("--policy-pack", exists=True, file_okay=False, help="Run this policy pack (a folder)."),
]


def _strict(value: bool) -> bool:
    """The pack is a process of its own on either engine: what it is told comes by its environment."""
    if value:
        os.environ["MLDEPLOY_POLICY_STRICT"] = "1"
    return value


def _levels(value: Path | None) -> Path | None:
    if value is not None:
        os.environ["MLDEPLOY_POLICY_LEVELS"] = str(value.absolute())
    return value


LevelsOption = Annotated[
    Path | None,
    typer.Option(
        "--policy-levels",
        exists=True,
        dir_okay=False,
        callback=_levels,
        help="Levels and settings of the project's policy pack (YAML), in place of its own file.",
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict", callback=_strict, help="With --policy-pack: what a rule could not look at stops too."
    ),
]


def up(
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    engine: EngineOption = EngineChoice.AUTO,
    yes: YesOption = False,
    diff: DiffOption = False,
    refresh: RefreshOption = False,
    expect_no_changes: ExpectOption = False,
    parallel: ParallelOption = 0,
    target: TargetOption = None,
    target_dependents: TargetDependentsOption = False,
    exclude: ExcludeOption = None,
    exclude_dependents: ExcludeDependentsOption = False,
    replace_urn: ReplaceOption = None,
    continue_on_error: ContinueOption = False,
    policy_pack: PackOption = None,
    policy_pack_config: PackConfigOption = None,
    policy_levels: LevelsOption = None,  # noqa: ARG001 (its callback)
    strict: StrictOption = False,  # noqa: ARG001 (its callback)
    create: CreateOption = False,
    allow_empty: AllowEmptyOption = False,
    as_json: JsonOption = False,
) -> None:
    """Register, build, deploy or update everything the manifest lists."""
    ask = not yes and not as_json
    session = open_session(project, stack, create=create, ask=ask)
    services = load(session.project, stack).services
    runner = prepare(session, engine, Operation.UP)
    not_emptied(session, services, allowed=allow_empty, ask=ask)
    options = RunOptions(
        diff, refresh, expect_no_changes, parallel, *_tuples(target, policy_pack), json=as_json
    )
    options = replace(
        options,
        target_dependents=target_dependents,
        excludes=tuple(exclude or ()),
        exclude_dependents=exclude_dependents,
        replace=tuple(replace_urn or ()),
        continue_on_error=continue_on_error,
        policy_pack_configs=tuple(policy_pack_config or ()),
    )
    agreed = ask and sys.stdin.isatty()
    if agreed and not _agreed(session, runner, replace(options, apart=True)):
        return
    outcome = runner.run(Operation.UP, replace(options, agreed=agreed))
    if not as_json:
        _ended(session, outcome)
    _finish(outcome, as_json)


def preview(
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    engine: EngineOption = EngineChoice.AUTO,
    diff: DiffOption = False,
    refresh: RefreshOption = False,
    expect_no_changes: ExpectOption = False,
    parallel: ParallelOption = 0,
    target: TargetOption = None,
    target_dependents: TargetDependentsOption = False,
    exclude: ExcludeOption = None,
    exclude_dependents: ExcludeDependentsOption = False,
    replace_urn: ReplaceOption = None,
    policy_pack: PackOption = None,
    policy_pack_config: PackConfigOption = None,
    policy_levels: LevelsOption = None,  # noqa: ARG001 (its callback)
    strict: StrictOption = False,  # noqa: ARG001 (its callback)
    markdown: MarkdownOption = None,
    create: CreateOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what `up` would change. Changes nothing."""
    session = open_session(project, stack, create=create)
    options = RunOptions(
        diff, refresh, expect_no_changes, parallel, *_tuples(target, policy_pack), json=as_json
    )
    options = replace(
        options,
        target_dependents=target_dependents,
        excludes=tuple(exclude or ()),
        exclude_dependents=exclude_dependents,
        replace=tuple(replace_urn or ()),
        policy_pack_configs=tuple(policy_pack_config or ()),
    )
    if markdown is not None or (not as_json and not diff):
        load(session.project, session.stack)
        runner = prepare(session, engine, Operation.PREVIEW)
        _finish(_planned(session, runner, options, markdown), as_json=False)
        return
    _finish(_carry_out(Operation.PREVIEW, session, engine, options, yes=True), as_json)


def refresh(
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    engine: EngineOption = EngineChoice.AUTO,
    yes: YesOption = False,
    diff: DiffOption = False,
    expect_no_changes: ExpectOption = False,
    parallel: ParallelOption = 0,
    target: TargetOption = None,
    target_dependents: TargetDependentsOption = False,
    exclude: ExcludeOption = None,
    exclude_dependents: ExcludeDependentsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the state up to what is really there; shows every drift."""
    session = open_session(project, stack)
    options = RunOptions(diff, False, expect_no_changes, parallel, *_tuples(target, None), json=as_json)
    options = replace(
        options,
        target_dependents=target_dependents,
        excludes=tuple(exclude or ()),
        exclude_dependents=exclude_dependents,
    )
    _finish(_carry_out(Operation.REFRESH, session, engine, options, yes=yes), as_json)


def destroy(
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    engine: EngineOption = EngineChoice.AUTO,
    yes: YesOption = False,
    refresh: RefreshOption = False,
    parallel: ParallelOption = 0,
    target: TargetOption = None,
    target_dependents: TargetDependentsOption = False,
    exclude: ExcludeOption = None,
    exclude_dependents: ExcludeDependentsOption = False,
    exclude_protected: ExcludeProtectedOption = False,
    continue_on_error: ContinueOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete everything of the stack, and nothing else."""
    session = open_session(project, stack)
    options = RunOptions(
        refresh=refresh,
        parallel=parallel,
        targets=tuple(target or ()),
        target_dependents=target_dependents,
        excludes=tuple(exclude or ()),
        exclude_dependents=exclude_dependents,
        exclude_protected=exclude_protected,
        continue_on_error=continue_on_error,
        json=as_json,
    )
    _finish(_carry_out(Operation.DESTROY, session, engine, options, yes=yes), as_json)


def _tuples(target: list[str] | None, packs: list[Path] | None) -> tuple[tuple[str, ...], tuple[Path, ...]]:
    return tuple(target or ()), tuple(packs or ())


def _agreed(session: Session, runner: Runner, options: RunOptions) -> bool:
    """Show the plan and ask. False when there is nothing to do.

    Raises:
        Abort: the person said no.
        Exit: the plan cannot be made.
    """
    planned = _planned(session, runner, options)
    if not planned.ok:
        raise typer.Exit(EXIT_INTERRUPTED if planned.interrupted else EXIT_FAILED)
    if planned.changed and not typer.confirm(f"apply this to stack {session.stack!r}?"):
        raise typer.Abort
    return planned.changed or options.refresh


def _planned(session: Session, runner: Runner, options: RunOptions, markdown: Path | None = None) -> Outcome:
    """Print the plan of both engines in the same words, also when it failed; and as a comment to a file."""
    from mldeploy.cli.tables import width
    from mldeploy.review import Plan, render
    from mldeploy.review.terminal import lines

    plan = Plan()
    outcome = runner.run(Operation.PREVIEW, replace(options, events=plan, json=False, diff=False))
    if not outcome.ok and outcome.error and not plan.errors:
        plan.errors.append(outcome.error)
    if markdown is not None:
        text = render(session.stack, plan, ok=outcome.ok)
        if str(markdown) == "-":
            print(text, end="")
            return outcome
        markdown.write_text(text, encoding="utf-8")
    manifest = load(session.project, session.stack)
    print("\n".join(lines(session.stack, plan, manifest, ok=outcome.ok, width=width())))
    return outcome


def _ended(session: Session, outcome: Outcome) -> None:
    """What is true now: after a success what serves; after a failure also that the versions before it do."""
    from mldeploy.cli.tables import print_services, print_status, stack_flag
    from mldeploy.operations import OperationError, stack_status

    if outcome.ok:
        print_services(session)
        return
    try:
        rows = stack_status(session)
    except (OperationError, EngineError) as error:
        print(f"\nwhat serves now cannot be told: {error}")
        return
    flag = stack_flag(session)
    print("\nWhat is true now:" if rows else "\nNothing is deployed.")
    if rows:
        print_status(rows)
    print(
        "\nA healthy service serves what is named beside it; a version that failed got no\n"
        f"traffic. Mend what the error names, then run `mldeploy up{flag}` again."
    )
    if rows:
        print(f"Logs: `mldeploy logs {rows[0].service}{flag}`")


def _carry_out(
    operation: Operation, session: Session, engine: EngineChoice, options: RunOptions, *, yes: bool
) -> Outcome:
    """Check everything that is bad input (exit code 2) first; ask when a person is there and did not say yes."""
    if operation is Operation.PREVIEW:
        load(session.project, session.stack)
    ask = operation is not Operation.PREVIEW and not yes and not options.json and sys.stdin.isatty()
    return prepare(session, engine, operation).run(operation, replace(options, ask=ask))


def _finish(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print(json.dumps(outcome.summary()))
    if not outcome.ok:
        raise typer.Exit(EXIT_INTERRUPTED if outcome.interrupted else EXIT_FAILED)
