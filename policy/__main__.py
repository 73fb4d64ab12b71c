"""The policy pack: every rule of `mldeploy_policies/rules`, at the level that `levels.yaml` gives it in this stack."""

import os
from pathlib import Path

from mldeploy_policies import unseen
from mldeploy_policies.levels import FILE, load
from mldeploy_policies.rules import RULES
from pulumi_policy import PolicyPack

file = Path(os.environ.get("MLDEPLOY_POLICY_LEVELS") or FILE)
levels = load(
    os.environ.get("PULUMI_STACK", ""), file, strict=os.environ.get("MLDEPLOY_POLICY_STRICT") == "1"
)
rules = (*RULES, unseen.rule(RULES, levels))
PolicyPack(
    name="mldeploy",
    description="Rules for stacks of models served by mldeploy",
    policies=[rule.policy(levels.level(rule.name), levels.settings(rule.name)) for rule in rules],
)
