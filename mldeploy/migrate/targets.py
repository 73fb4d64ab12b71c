"""Targets: clusters and computes that were created, attached or only named."""

from __future__ import annotations

import re
from typing import Any

from mldeploy.manifest.rules.undecided import PLACEHOLDER
from mldeploy.migrate.draft import Draft, overlay
from mldeploy.migrate.findings import Outcome
from mldeploy.migrate.v1 import COMPUTES, RETIRED_SIZES
from mldeploy.migrate.values import Call, Unknown, Variable, each

LOCAL, DEV, PROD = "local", "dev", "prod"
STACKS = {"LocalWebservice": LOCAL, "AciWebservice": DEV, "AksWebservice": PROD, "AksEndpoint": PROD}
_PURPOSES = {"fastprod": "fast_prod", "denseprod": "dense_prod", "devtest": "dev_test"}
_CLUSTER_ID = re.compile(
    r"/subscriptions/(?P<subscription_id>[^/]+)/resourceGroups/(?P<resource_group>[^/]+)/providers/"
    r"Microsoft\.ContainerService/managedClusters/(?P<cluster_name>[^/]+)",
    re.IGNORECASE,
)


class Targets:
    """The `targets:` sections of the stacks."""

    def __init__(self, draft: Draft, computes: list[Call]) -> None:
        self._draft = draft
        self._computes = {str(call.get("name")): call for call in computes}
        self._done: dict[tuple[str, str], str] = {}

    def local(self) -> str:
        """This machine."""
        self._draft.entry(overlay(LOCAL), "targets", "here").update({"type": "local", "runtime": "process"})
        return "here"

    def aci(self, deployment: Call, default_location: str | None) -> str:
        """Container Instances; one target a location."""
        file, location = overlay(DEV), deployment.get("location")
        name = f"aci-{_region(location)}" if isinstance(location, str) else "aci"
        entry = self._draft.entry(file, "targets", name)
        entry["type"] = "aci"
        if isinstance(location, str):
            entry["location"] = _region(location)
            self._draft.note(
                Outcome.MAPPED, deployment.where, f"{deployment.owner}.location", f"targets.{name}.location"
            )
        else:
            self._azure_location(file, default_location)
        for key in ("vnet_name", "subnet_name"):
            if deployment.get(key) is not None:
                why = "write the subnet's resource id; it has to be delegated to Microsoft.ContainerInstance"
                self._draft.decide(deployment, key, file, ("targets", name, "subnet_id"), why)
        return name

    def aks(self, target: Any, deployment: Call, default_location: str | None) -> str:
        """A cluster: one that the script created or attached, or one that it only named."""
        file = overlay(PROD)
        named = target if target is not None else deployment.get("compute_target_name")
        choices = [one for one in each(named) if isinstance(one, Call)]
        named = next(
            (one for one in choices if one.owner in COMPUTES), choices[0] if choices else each(named)[0]
        )
        if isinstance(named, Call) and named.owner in COMPUTES:
            return self._compute(named, file, default_location)
        given = named.get("name") if isinstance(named, Call) else named
        if isinstance(given, str) and given in self._computes:
            return self._compute(self._computes[given], file, default_location)
        text = given if isinstance(given, str) else None
        name = _target_name(text or "cluster")
        if (file, name) in self._done.items() or name in self._draft.files.get(file, {}).get("targets", {}):
            return name
        self._draft.put(file, ("targets", name, "type"), "aks")
        path = ("targets", name, "attach")
        cluster = {"resource_group": PLACEHOLDER, "cluster_name": text or PLACEHOLDER}
        self._draft.put(file, path, cluster)
        why = "the resource group and the name of the cluster in Azure"
        why += (
            f" ({text!r} is its name in the workspace, which can be another)" if text else _expression(given)
        )
        self._draft.decide(deployment, "deployment_target", file, path, why)
        self._azure_location(file, default_location)
        return name

    def batch(self, target: Any, parallel: Call, default_location: str | None) -> str:
        """The compute of a batch."""
        file = overlay(PROD)
        choices = [one for one in each(target) if isinstance(one, Call)]
        target = next(
            (one for one in choices if one.owner in COMPUTES), choices[0] if choices else each(target)[0]
        )
        if isinstance(target, Call) and target.owner == "ComputeTarget.create":
            return self._compute(target, file, default_location)
        given = target.get("name") if isinstance(target, Call) else target
        if isinstance(given, str) and given in self._computes:
            return self._compute(self._computes[given], file, default_location)
        name = _target_name(given if isinstance(given, str) else "batch")
        self._draft.put(file, ("targets", name, "type"), "batch")
        self._azure_location(file, default_location)
        why = "the stack creates a compute with these defaults; to use yours, write `existing: <its resource id>`"
        self._draft.decide(parallel, "compute_target", file, ("targets", name, "type"), why)
        return name

    def unused(self, default_location: str | None) -> None:
        """Computes that the script made and deployed nothing on."""
        for call in self._computes.values():
            configuration = call.get("configuration")
            if isinstance(configuration, Call) and configuration.owner.startswith(
                ("AksCompute", "AmlCompute")
            ):
                self._compute(call, overlay(PROD), default_location)

    def _compute(self, call: Call, file: str, default_location: str | None) -> str:
        self._draft.settle(call, "targets.*")
        configuration, given = call.get("configuration"), call.get("name")
        if isinstance(configuration, Call):
            self._draft.settle(configuration, "targets.*")
        name = _target_name(given if isinstance(given, str) else "cluster")
        if (file, name) in self._done:
            return name
        self._done[file, name] = name
        if not isinstance(configuration, Call):
            self._draft.put(file, ("targets", name, "type"), "aks")
            self._draft.put(file, ("targets", name, "create"), {})
            self._draft.decide(
                call, "configuration", file, ("targets", name, "create"), "the cluster's configuration"
            )
            self._azure_location(file, default_location)
            return name
        if configuration.owner.startswith("AmlCompute"):
            self._aml(configuration, file, name, default_location)
        elif configuration.owner.endswith("attach_configuration"):
            self._attach(configuration, file, name)
            self._azure_location(file, default_location)
        else:
            self._create(configuration, file, name, default_location)
        return name

    def _create(self, config: Call, file: str, name: str, default_location: str | None) -> None:
        self._draft.put(file, ("targets", name, "type"), "aks")
        self._draft.put(file, ("targets", name, "create"), {})
        handled = frozenset(
            {
                "cluster_purpose",
                "enable_ssl",
                "ssl_cname",
                "ssl_cert_pem_file",
                "ssl_key_pem_file",
                "location",
            }
        )
        self._draft.apply(config, file, {"targets": name}, handled)
        self._purpose(config, file, name, "create")
        self._retired(config, file, ("targets", name, "create", "vm_size"))
        location = config.get("location")
        if isinstance(location, str):
            self._draft.put(file, ("targets", name, "create", "location"), _region(location))
            self._draft.note(
                Outcome.MAPPED, config.where, f"{config.owner}.location", f"targets.{name}.create.location"
            )
        else:
            self._azure_location(file, default_location)
        self._small(config, file, name)

    def _retired(self, config: Call, file: str, path: tuple[str, ...]) -> None:
        """A size that Azure has no more: its successor stands in its place."""
        size = config.get("vm_size")
        for form, ended, successor in RETIRED_SIZES if isinstance(size, str) else ():
            if re.fullmatch(form, str(size), re.IGNORECASE):
                self._draft.put(file, path, successor)
                why = f"{size} ended in {ended}; {successor} is a size of today: check its price and quota"
                self._draft.note(
                    Outcome.CHANGED, config.where, f"{config.owner}.vm_size", ".".join(path), why
                )

    def _small(self, config: Call, file: str, name: str) -> None:
        """v1 checked the 12 vCPUs only when a service was deployed; the manifest does at once."""
        from mldeploy.manifest.vm_sizes import LEAST_VCPUS, vcpus

        entry = self._draft.entry(file, "targets", name)["create"]
        size, count = entry.get("vm_size", "Standard_D4s_v5"), entry.get("agent_count", 3)
        try:
            total = vcpus(size) * count
        except ValueError as error:
            self._draft.decide(config, "vm_size", file, ("targets", name, "create", "vm_size"), str(error))
            return
        if total < LEAST_VCPUS and entry.get("cluster_purpose") != "dev_test":
            why = f"{count} nodes of {size} have {total} vCPUs and a production cluster needs {LEAST_VCPUS}: raised"
            self._draft.put(file, ("targets", name, "create", "agent_count"), -(-LEAST_VCPUS // vcpus(size)))
            self._draft.note(
                Outcome.CHANGED,
                config.where,
                f"{config.owner}.agent_count",
                f"targets.{name}.create.agent_count",
                why,
            )

    def _attach(self, config: Call, file: str, name: str) -> None:
        self._draft.put(file, ("targets", name, "type"), "aks")
        self._draft.put(file, ("targets", name, "attach"), {})
        resource = config.get("resource_id")
        match = _CLUSTER_ID.fullmatch(resource) if isinstance(resource, str) else None
        if match:
            for key, value in match.groupdict().items():
                self._draft.put(file, ("targets", name, "attach", key), value)
            self._draft.note(
                Outcome.CHANGED,
                config.where,
                f"{config.owner}.resource_id",
                f"targets.{name}.attach",
                "split into subscription, resource group and name",
            )
        self._draft.apply(
            config, file, {"targets": name}, frozenset({"cluster_purpose", "enable_ssl", "resource_id"})
        )
        self._purpose(config, file, name, "attach")
        entry = self._draft.entry(file, "targets", name)["attach"]
        for key in ("resource_group", "cluster_name"):
            if key not in entry:
                entry[key] = PLACEHOLDER

    def _purpose(self, config: Call, file: str, name: str, kind: str) -> None:
        given = config.get("cluster_purpose")
        if not isinstance(given, str):
            return
        purpose = _PURPOSES.get(given.lower().replace("_", ""), given)
        path = ("targets", name, kind, "cluster_purpose")
        self._draft.put(file, path, purpose)
        self._draft.note(Outcome.MAPPED, config.where, f"{config.owner}.cluster_purpose", ".".join(path))

    def _aml(self, config: Call, file: str, name: str, default_location: str | None) -> None:
        self._draft.put(file, ("targets", name, "type"), "batch")
        handled = {"vm_priority", "idle_seconds_before_scaledown", "location"}
        if config.get("enable_node_public_ip") is True:
            handled.add("enable_node_public_ip")
        self._draft.apply(config, file, {"targets": name}, frozenset(handled))
        priority = config.get("vm_priority")
        if priority is not None:
            why = (
                "dedicated is the only one"
                if priority == "dedicated"
                else "low-priority VMs ended in March 2026"
            )
            self._draft.note(
                Outcome.CHANGED,
                config.where,
                f"{config.owner}.vm_priority",
                f"targets.{name}.vm_priority",
                why,
            )
        size = config.get("vm_size")
        if isinstance(size, str) and size.upper() == size:
            self._draft.put(file, ("targets", name, "vm_size"), size.replace("STANDARD_", "Standard_"))
        self._retired(config, file, ("targets", name, "vm_size"))
        idle = config.get("idle_seconds_before_scaledown")
        if isinstance(idle, int | str) and str(idle).isdigit():
            self._draft.put(file, ("targets", name, "idle_seconds_before_scaledown"), max(60, int(idle)))
            self._draft.note(
                Outcome.MAPPED,
                config.where,
                f"{config.owner}.idle_seconds_before_scaledown",
                f"targets.{name}.idle_seconds_before_scaledown",
            )
        location = config.get("location")
        if isinstance(location, str):
            self._draft.put(file, ("targets", name, "location"), _region(location))
        else:
            self._azure_location(file, default_location)

    def _azure_location(self, file: str, default_location: str | None) -> None:
        """v1 took the workspace's region."""
        sections = self._draft.files.setdefault(file, {"version": 1})
        if "azure" in sections:
            return
        sections["azure"] = {"location": default_location or "westeurope"}
        if default_location is None:
            self._draft.comment(
                file, ("azure", "location"), "TO DECIDE: v1 took the workspace's region; this one is a guess"
            )
            self._draft.note(
                Outcome.DECIDE,
                file,
                "Workspace.location",
                "azure.location",
                "v1 took the workspace's region; `westeurope` is a guess (or give --location)",
            )


def _region(text: str) -> str:
    """`West Europe` as `westeurope`."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _target_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-_")[:63] or "target"


def _expression(given: Any) -> str:
    if isinstance(given, Unknown):
        return f" (the script says `{given.text}`)"
    return f" (the script reads {given.name} from the environment)" if isinstance(given, Variable) else ""
