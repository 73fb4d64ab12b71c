"""Every rule with resources that comply and resources that do not, called as the analyzer calls it."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "policy"))

from mldeploy_policies import unseen  # noqa: E402
from mldeploy_policies.levels import load  # noqa: E402
from mldeploy_policies.machines import gpus, vcpus  # noqa: E402
from mldeploy_policies.rules import RULES  # noqa: E402
from pulumi_policy import (  # noqa: E402
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy  # noqa: E402

from mldeploy.review import Plan  # noqa: E402
from mldeploy.review.markdown import violations as violations_of  # noqa: E402
from tests.policy import samples  # noqa: E402
from tests.policy.samples import changed, variable  # noqa: E402

BY_NAME = {rule.name: rule for rule in RULES}
SETTINGS = load("prod")


def options(protect=False):
    return PolicyResourceOptions(protect, [], None, [], PolicyCustomTimeouts(0, 0, 0), [], "")


def policy(name):
    return BY_NAME[name].policy("mandatory", SETTINGS.settings(name))


def violations(name, sample, protect=False):
    kind, props = sample
    urn = f"urn:pulumi:prod::shop::{kind}::churn"
    args = ResourceValidationArgs(
        kind, unknown_checking_proxy(props), urn, "churn", options(protect), None, {}
    )
    found = []
    made = policy(name)
    assert isinstance(made, ResourceValidationPolicy)
    made.validate(args, lambda message, urn=None: found.append(message))
    return found


def stack_violations(name, stack):
    resources = [
        PolicyResource(
            kind, unknown_checking_proxy(props), f"urn:{index}", f"r{index}", options(), None, None, [], {}
        )
        for index, (kind, props) in enumerate(stack)
    ]
    found = []
    policy(name).validate(
        StackValidationArgs(resources, {}), lambda message, urn=None: found.append((message, urn))
    )
    return found


def resource(kind, props, name="churn", above=None):
    return PolicyResource(
        kind, unknown_checking_proxy(props), f"urn:{name}", name, options(), None, None, [], above or {}
    )


def not_evaluated(*resources, stack="prod"):
    """What the pack says it could not look at."""
    rule = unseen.rule(RULES, load(stack))
    return [message for message, _ in rule.check_stack(resources, {})]


def cases(table):
    return [
        pytest.param(name, one, id=f"{name}-{index}")
        for name, found in table.items()
        for index, one in enumerate(found)
    ]


@pytest.mark.parametrize(("name", "sample"), cases(samples.PASSING))
def test_passing(name, sample):
    assert violations(name, sample, protect=name == "protect-stateful") == []


@pytest.mark.parametrize(("name", "sample"), cases(samples.FAILING))
def test_failing(name, sample):
    (message, *_) = violations(name, sample)
    assert message.startswith("churn: ")
    assert "letmein" not in message


@pytest.mark.parametrize(("name", "stack"), cases(samples.STACKS_PASSING))
def test_passing_stack(name, stack):
    assert stack_violations(name, stack) == []


@pytest.mark.parametrize(("name", "stack"), cases(samples.STACKS_FAILING))
def test_failing_stack(name, stack):
    assert stack_violations(name, stack)


def test_every_rule_has_both():
    resources = {rule.name for rule in RULES if rule.check is not None}
    stacks = {rule.name for rule in RULES if rule.check_stack is not None}
    assert set(samples.PASSING) == set(samples.FAILING) == resources
    assert set(samples.STACKS_PASSING) == set(samples.STACKS_FAILING) == stacks
    assert len(RULES) >= 20


def unknown(value):
    """The same shape with every text unknown, as a first preview has it."""
    if isinstance(value, dict):
        return {key: unknown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unknown(item) for item in value]
    return UNKNOWN_STRING_VALUE if isinstance(value, str) else value


@pytest.mark.parametrize("name", sorted(samples.PASSING))
def test_unknown_values_break_no_rule(name):
    """In a preview, texts may not be known yet: that is neither an error nor a violation."""
    if name == "no-aci":
        pytest.skip("the type alone breaks this rule")
    for kind, props in samples.PASSING[name]:
        violations(name, (kind, unknown(props)), protect=True)


@pytest.mark.parametrize("name", sorted(samples.PASSING))
def test_a_rule_that_could_not_look_is_named(name):
    """A resource of which nothing is known: each rule that asks for a value says so, unless it breaks all the same."""
    if name in ("no-aci", "protect-stateful"):
        pytest.skip("looks at no value")
    for kind, props in samples.PASSING[name]:
        if (name, kind) == ("auth-enabled", samples.ROLLOUT):
            continue  # a key is there, whatever it is
        hidden = dict.fromkeys((*props, "location") if props else (), UNKNOWN_STRING_VALUE)
        said = "".join(not_evaluated(resource(kind, hidden)))
        assert f"{name}: churn" in said or violations(name, (kind, hidden)) or not hidden, kind


def test_what_could_not_be_evaluated_is_one_line():
    assert not_evaluated(resource(samples.DEPLOYMENT, samples.DEPLOYMENT_PROPS)) == []
    hidden = changed(samples.DEPLOYMENT_PROPS, "spec.template", UNKNOWN_STRING_VALUE)
    (line,) = not_evaluated(*(resource(samples.DEPLOYMENT, hidden, f"d{n}") for n in range(7)))
    assert re.match(r"\d+ rules could not look at 7 resources: ", line)
    assert "probes: d0, d1, d2, d3, d4 and 2 more" in line
    assert "disruption-budget: the whole stack" in line


def test_an_unknown_value_concerns_only_rules_that_look_at_it():
    variables = "spec.template.spec.containers.0.env"
    with_address = variable(samples.DEPLOYMENT_PROPS, variables, "DATABASE_HOST", UNKNOWN_STRING_VALUE)
    assert not_evaluated(resource(samples.DEPLOYMENT, with_address)) == []
    with_key = variable(samples.DEPLOYMENT_PROPS, variables, "API_KEY", UNKNOWN_STRING_VALUE)
    assert not_evaluated(resource(samples.DEPLOYMENT, with_key)) == [
        "1 rule could not look at 1 resource: secrets-not-in-clear: churn"
    ]


def test_an_image_that_the_stack_builds_is_named_by_its_digest():
    image = "spec.template.spec.containers.0.image"
    hidden = changed(samples.DEPLOYMENT_PROPS, image, UNKNOWN_STRING_VALUE)
    (line,) = not_evaluated(resource(samples.DEPLOYMENT, hidden))
    assert "images-by-digest: churn" in line and "no-latest: churn" in line
    build = resource("azure-native:containerregistry:TaskRun", {}, "build")
    assert not_evaluated(resource(samples.DEPLOYMENT, hidden, above={"spec": [build]})) == []


def test_a_build_says_where_its_image_will_be():
    """Before there is an image; the name of the stack's own registry is completed by Azure."""
    presence = "mldeploy:azure:ImagePresence"
    hidden = {"server": UNKNOWN_STRING_VALUE, "base_image": "mcr.microsoft.com/x:1"}
    (line,) = not_evaluated(resource(presence, hidden))
    assert "allowed-registries: churn" in line
    own = resource("azure-native:containerregistry:Registry", {}, "own")
    assert not_evaluated(resource(presence, hidden, above={"server": [own]})) == []
    assert violations("allowed-registries", (presence, {"server": "evil.example.org"}))
    assert violations("allowed-registries", (presence, {"server": "a.azurecr.io", "base_image": "python:3"}))
    assert violations("no-latest", (presence, {"server": "a.azurecr.io", "base_image": "a.azurecr.io/x"}))


def test_one_violation_of_many_resources_is_one_line():
    plan = Plan()
    for number in range(7):
        message = f"what the rule asks for\nr{number}: is in brazilsouth; allowed: westeurope"
        plan.violations.append(("mandatory", "allowed-regions", message))
    (line,) = violations_of(plan)
    assert line[2] == "r0, r1, r2, r3, r4 and 2 more: is in brazilsouth; allowed: westeurope"


def test_strict_makes_it_mandatory():
    assert load("prod").level("not-evaluated") == "advisory"
    assert load("prod", strict=True).level("not-evaluated") == "mandatory"
    assert load("dev", strict=True).level("not-evaluated") == "mandatory"


@pytest.mark.parametrize(
    ("size", "cores", "accelerators"),
    [
        ("Standard_D4s_v5", 4, 0),
        ("Standard_D3_v2", 4, 0),
        ("STANDARD_DS12_V2", 4, 0),
        ("Standard_E16-4s_v5", 4, 0),
        ("Standard_NC4as_T4_v3", 4, 1),
        ("Standard_B2ms", 2, 0),
        ("nonsense", 0, 0),
    ],
)
def test_machines(size, cores, accelerators):
    assert (vcpus(size), gpus(size)) == (cores, accelerators)


def test_levels():
    prod, local, other = load("prod"), load("local"), load("staging")
    assert prod.level("auth-enabled") == "mandatory"
    assert prod.level("private-network") == "advisory"
    assert local.level("auth-enabled") == "disabled"
    assert other.level("auth-enabled") == "advisory"
    assert other.level("no-latest") == "mandatory"
    assert load("dev").level("no-aci") == "disabled"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stacks: {prod: {auth-enabled: strict}}", "'strict' is no level; allowed: advisory"),
        ("stacks: {prod: {auth: mandatory}}", "stacks.prod.auth: no such rule"),
        ("settings: {region: {}}", "settings.region: no such rule"),
    ],
)
def test_faulty_levels(tmp_path, text, message):
    (tmp_path / "levels.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        load("prod", tmp_path / "levels.yaml")


def test_documentation():
    """docs/policy.md has a line for each rule, with its own words."""
    page = (ROOT / "docs" / "policy.md").read_text()
    for rule in RULES:
        assert f"| `{rule.name}` | {rule.description} | {rule.fix} |" in page, rule.name
    assert page.partition("## Which rule")[0].count("\n| `") == len(RULES)
