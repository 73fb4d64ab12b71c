"""What docs/engine.md says is supported, each with the test that proves it.

`python -m tests.engine.supported` writes the page's table. A proof is a program of `programs/` (it runs on this engine
in every run of the tests, and on the CLI where that is) or a test, `file::function`. What comes after it must stand in
its source: the option, the flag, the call.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "engine.md"
BEGIN, END = "<!-- made by tests/engine/supported.py -->", "<!-- end of what is made -->"


@dataclass(frozen=True)
class Item:
    """Something that works, in the page's words."""

    words: str
    proof: str
    uses: str


def _items(*rows: tuple[str, str, str]) -> list[Item]:
    return [Item(*row) for row in rows]


AREAS: dict[str, list[Item]] = {
    "steps": _items(
        ("same", "02_update", "same="),
        ("create", "01_create", "create="),
        ("update", "02_update", "update="),
        ("replace, create first", "03_replace_create_first", "replace="),
        ("replace, delete first with dependents", "79_delete_first_dependents", "replace="),
        ("delete in reverse order", "05_delete_in_order", "delete="),
        ("read", "23_get_resource", "id="),
        ("import", "20_import", "import_"),
        ("refresh", "27_refresh_drift", "refresh"),
        ("refreshes that a provider asks for", "C2_refresh_before_update", "fresh=True"),
    ),
    "options": _items(
        ("ignoreChanges", "10_ignore_changes", "ignore_changes"),
        ("replaceOnChanges", "11_replace_on_changes", "replace_on_changes"),
        ("deleteBeforeReplace", "12_delete_before_replace_option", "delete_before_replace"),
        ("replacementTrigger", "58_replacement_trigger", "replacement_trigger"),
        ("replaceWith", "59_replace_with", "replace_with"),
        ("protect", "13_protect_delete", "protect"),
        ("retainOnDelete", "15_retain_on_delete", "retain_on_delete"),
        ("deletedWith", "16_deleted_with", "deleted_with"),
        ("aliases by name", "17_alias_name", "aliases"),
        ("by parent", "18_alias_parent", "aliases"),
        ("by type, inherited by children", "19_alias_type_and_inherited", "type_"),
        ("import", "75_import_odd", "import_"),
        ("customTimeouts", "56_custom_timeouts", "custom_timeouts"),
        ("additionalSecretOutputs", "09_additional_secret_outputs", "additional_secret_outputs"),
        ("dependsOn", "55_depends_on", "depends_on"),
        ("parent", "06_components", "parent"),
        ("provider(s)", "26_component_providers", "provider"),
        ("hideDiffs", "97_hide_diffs", "hide_diffs"),
        ("version", "67_provider_version", "version"),
        ("pluginDownloadURL", "B5_download_url", "plugin_download_url"),
    ),
    "program": _items(
        ("components", "06_components", "Group("),
        ("remote components of any package with a plugin", "C1_remote_components", "True)"),
        (
            "this project's own",
            "tests/components/test_package.py::test_the_same_resources_as_a_python_program_makes",
            "Manifest",
        ),
        ("their methods", "C4_methods", "runtime.call("),
        ("stack outputs", "07_stack_outputs", "export"),
        ("config and secret config", "54_config", "config"),
        ("`Resource.get`", "23_get_resource", "id="),
        ("`invoke`", "48_invoke", "invoke"),
        ("`StackReference`", "50_stack_reference", "StackReference"),
        ("assets and archives", "52_assets", "Archive"),
        ("resource references", "57_resource_reference", "Res("),
        ("output values and unknowns", "61_unknown_propagation", "preview"),
        ("transforms", "53_transforms", "transform"),
        ("transformations of the older kind", "90_legacy_transformations", "transformation"),
    ),
    "flags": _items(
        ("`--parallel`", "36_update_failure", "--parallel"),
        ("`--target`", "29_target_update", "--target"),
        ("`--target-dependents`", "73_target_dependents", "--target-dependents"),
        ("`--exclude`", "32_exclude", "--exclude"),
        ("`--exclude-dependents`", "66_exclude_dependents", "--exclude-dependents"),
        ("`--replace`", "33_replace_flag", "--replace"),
        ("`--refresh`", "28_up_with_refresh", "--refresh"),
        ("`--expect-no-changes`", "34_expect_no_changes", "--expect-no-changes"),
        ("`--continue-on-error`", "46_continue_on_error", "--continue-on-error"),
        ("`destroy --exclude-protected`", "B1_exclude_protected", "--exclude-protected"),
        ("`--policy-pack`", "tests/engine/test_policy.py::test_stack_rule", "pack"),
        ("`--policy-pack-config`", "tests/engine/test_policy.py::test_remediation_and_config", "config"),
        ("`--diff`", "tests/engine/test_display.py::test_nested_property_diff", "diff"),
        ("`--json`", "tests/engine/test_display.py::test_json_events", "json"),
    ),
    "plugins": _items(
        (
            "ours in this process",
            "tests/components/test_package.py::test_faults_of_the_manifest_are_said",
            "run(",
        ),
        (
            "others as processes: `plugins.providers` of `Pulumi.yaml`",
            "tests/engine/test_plugins.py::test_lifecycle_over_grpc",
            "plugin=True",
        ),
        ("`PATH`, `~/.pulumi/plugins`", "tests/engine/test_plugins.py::TestFinding::test_order", "PATH"),
        (
            "in source form for Python (`PulumiPlugin.yaml`)",
            "tests/engine/test_plugins.py::test_a_plugin_in_source_form",
            "PulumiPlugin.yaml",
        ),
        ("a warning for an older version", "B9_plugin_version", "expected to have version"),
    ),
    "stacks": _items(
        ("`stack export`, `import`", "tests/engine/test_state.py::test_export_and_import", "import_stack"),
        ("`ls`, `output`, `rm`", "tests/engine/test_state.py::test_list_output_remove", "remove_stack"),
        ("`init`", "tests/engine/test_state.py::test_init", "init_stack"),
        (
            "`state delete`, `rename`, `protect`, `unprotect`, `taint`, `untaint`",
            "B7_state_edits",
            "state untaint",
        ),
        ("`move`", "B8_state_move", "state move"),
        ("`cancel`", "tests/engine/test_state.py::test_the_clis_locks_are_respected_until_cancel", "cancel"),
    ),
    "project": _items(
        ("values as the CLI's YAML parser reads them", "A1_config_yaml", "Pulumi.dev.yaml"),
        ("`config` with its schema and defaults", "A2_config_schema", "default"),
        ("what it wants secret", "A3_config_required", "secret: true"),
        ("required configuration", "A3_config_required", "config"),
        ("`requiredPulumiVersion`", "A4_required_version", "requiredPulumiVersion"),
        ("`options.refresh`", "C3_project_options", "refresh: always"),
        ("`main` as a file", "A5_main_file", "main:"),
        (
            "secrets of Pulumi's passphrase provider",
            "tests/engine/test_state.py::test_what_pulumi_encrypted_is_read",
            "by pulumi",
        ),
    ),
}


def source(proof: str) -> str:
    """The text of a proof. Raises LookupError when it is not there."""
    path, *names = proof.split("::")
    if not names:
        program = ROOT / "tests/engine/programs" / f"{proof}.py"
        if not program.is_file():
            raise LookupError(f"no program {proof}")
        return program.read_text()
    text = (ROOT / path).read_text()
    node: ast.AST = ast.parse(text)
    for name in names:
        node = next(
            (one for one in ast.iter_child_nodes(node) if getattr(one, "name", "") == name), ast.Pass()
        )
    found = ast.get_source_segment(text, node) if isinstance(node, ast.FunctionDef) else None
    if found is None:
        raise LookupError(f"no test {proof}")
    return found


def table() -> str:
    """The page's table."""
    rows = [f"| {area} | {'; '.join(item.words for item in items)} |" for area, items in AREAS.items()]
    return "\n".join([BEGIN, "", "| area | what |", "|---|---|", *rows, "", END])


def page(text: str) -> str:
    """The page with its table made anew."""
    before, _, rest = text.partition(BEGIN)
    return before + table() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
