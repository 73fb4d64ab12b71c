"""Services: `Model.deploy` with a deployment configuration, and `ParallelRunConfig`."""

from __future__ import annotations

import re
from typing import Any, cast

from mldeploy.manifest.rules.images import azure_only
from mldeploy.migrate.draft import BASE, Draft, config_key, overlay, slug
from mldeploy.migrate.findings import Outcome
from mldeploy.migrate.plan import Planned, stack_of
from mldeploy.migrate.targets import LOCAL, PROD, STACKS, Targets
from mldeploy.migrate.v1 import SIGNATURES
from mldeploy.migrate.values import Call, Choice, Unknown, Variable, only_outside

_FIRST_PORT = 8890
_OWN = frozenset(
    {
        "primary_key",
        "secondary_key",
        "ssl_enabled",
        "ssl_cert_pem_file",
        "ssl_key_pem_file",
        "ssl_cname",
        "collect_model_data",
        "cpu_cores",
        "memory_gb",
        "location",
        "vnet_name",
        "subnet_name",
        "compute_target_name",
        "num_replicas",
        "traffic_percentile",
        "port",
        "token_auth_enabled",
    }
)
_REFERENCES = frozenset(
    {"primary_key", "secondary_key", "ssl_cert_pem_file", "ssl_key_pem_file", "compute_target_name"}
)
_HOLES = re.compile(r"[-_.\s]+$")
_TRUE = (True, "true", "True")


class Services:
    """The `services:` sections of the stacks."""

    def __init__(self, draft: Draft, targets: Targets, location: str | None) -> None:
        self._draft, self._targets, self._location = draft, targets, location
        self._port = _FIRST_PORT

    # --- online ------------------------------------------------------------------------------------------

    def online(self, name: str, image: str, planned: Planned, sizes: dict[str, Any]) -> None:
        """A web service: in the stack of v1's target, and in the local one to try it at once."""
        deployment = self._deployment(planned)
        for key, value in sizes.items():
            if value is not None and deployment.owner != "LocalWebservice":
                deployment.values.setdefault(key, value)
        if deployment.owner != "LocalWebservice":
            self._azure(name, image, deployment, planned.target)
        self._here(name, image, deployment)
        for key, value in planned.extra.items():
            if deployment.get(key) is None and value is not None:
                self._draft.note(
                    Outcome.MAPPED, planned.call.where, f"{planned.call.owner}.{key}", f"services.{name}"
                )

    def _deployment(self, planned: Planned) -> Call:
        """The configuration; without one v1 took the target's defaults, and without a target, ACI."""
        given, where = planned.deployment, planned.call.where
        if isinstance(given, Call) and given.owner in STACKS:
            made = given.copy()
        else:
            made = Call("AksWebservice" if planned.target is not None else "AciWebservice", where)
            if given is not None:
                text = f": `{given.text}`" if isinstance(given, Unknown) else ""
                why = f"only running the script tells{text}; the defaults of {made.owner} are taken"
                outcome = Outcome.DECIDE if only_outside(given) else Outcome.UNREAD
                what = f"{planned.call.owner}.deployment_config"
                self._draft.note(outcome, where, what, "services.*", why)
        known = SIGNATURES[made.owner]
        made.values |= {key: value for key, value in planned.extra.items() if key in known}
        self._draft.settle(made, "services.*")
        return made

    def _azure(self, name: str, image: str, deployment: Call, target: Any) -> None:
        file = overlay(STACKS[deployment.owner])
        if deployment.owner == "AciWebservice":
            place = self._targets.aci(deployment, self._location)
        else:
            place = self._targets.aks(target, deployment, self._location)
            if deployment.get(key := "compute_target_name") is not None:
                to = f"services.{name}.target"
                self._draft.note(Outcome.MAPPED, deployment.where, f"{deployment.owner}.{key}", to)
        self._draft.entry(file, "services", name).update({"image": image, "target": place})
        self._draft.apply(deployment, file, {"services": name}, handled=_OWN)
        self._unknown(name, file, deployment)
        self._sizes(name, file, deployment)
        self._replicas(name, file, deployment)
        self._auth(name, file, deployment)
        self._tls(name, file, deployment, target)
        self._collection(name, file, deployment)
        self._traffic(name, file, deployment)

    def _unknown(self, name: str, file: str, deployment: Call) -> None:
        """Values of the parameters that `apply` leaves to the other methods, where only running the script tells."""
        for key in sorted(_OWN - _REFERENCES):
            value = deployment.get(key)
            if isinstance(value, Unknown | Variable):
                text = value.text if isinstance(value, Unknown) else f"os.environ[{value.name!r}]"
                why = f"the value is `{text}`, which only running the script tells"
                self._draft.decide(deployment, key, file, ("services", name, key), why)

    def _sizes(self, name: str, file: str, deployment: Call) -> None:
        for key, least, most, step in (("cpu_cores", 1.0, 4.0, 2), ("memory_gb", 1.0, 16.0, 1)):
            value = _number(deployment.get(key))
            if value is None:
                continue
            path = ("services", name, key)
            used = min(max(value, least), most) if deployment.owner == "AciWebservice" else value
            used = round(used, step) if deployment.owner == "AciWebservice" else used
            self._draft.put(file, path, int(used) if used.is_integer() else used)
            outcome = Outcome.MAPPED if used == value else Outcome.CHANGED
            why = "" if used == value else f"{value:g} is not allowed on ACI; {least:g} to {most:g} are"
            self._draft.note(outcome, deployment.where, f"{deployment.owner}.{key}", ".".join(path), why)

    def _replicas(self, name: str, file: str, deployment: Call) -> None:
        count = _number(deployment.get("num_replicas"))
        if count is None:
            return
        path = ("services", name, "num_replicas")
        what = f"{deployment.owner}.num_replicas"
        if deployment.get("autoscale_enabled") in _TRUE:
            why = "autoscaling was on too, and wins"
            self._draft.note(Outcome.DROPPED, deployment.where, what, "", why)
            return
        self._draft.put(file, path, int(count))
        self._draft.note(Outcome.MAPPED, deployment.where, what, ".".join(path))
        entry = self._draft.entry(file, "services", name)
        if "autoscale" in entry:
            entry["autoscale"]["enabled"] = False

    def _auth(self, name: str, file: str, deployment: Call) -> None:
        entry = self._draft.entry(file, "services", name)
        if deployment.get("token_auth_enabled") in _TRUE:
            path = ("services", name, "auth_enabled")
            entry["auth_enabled"] = True
            why = "tokens are not supported: clients send `Authorization: Bearer <key>` with a key that does not expire"
            self._draft.decide(deployment, "token_auth_enabled", file, path, why)
        keyed = any(deployment.get(f"{which}_key") is not None for which in ("primary", "secondary"))
        if keyed and isinstance(deployment.get("auth_enabled"), Unknown | Variable):
            entry["auth_enabled"] = True  # Only running the script tells; keys are there for a reason.
        on = entry.get("auth_enabled", deployment.owner != "AciWebservice")
        for which in ("primary", "secondary"):
            if deployment.get(f"{which}_key") is None:
                continue
            if not on:
                self._draft.note(
                    Outcome.DROPPED,
                    deployment.where,
                    f"{deployment.owner}.{which}_key",
                    "",
                    "auth_enabled is off",
                )
                continue
            self._draft.secret(
                deployment,
                f"{which}_key",
                file,
                ("services", name, f"{which}_key"),
                config_key(name, f"{which}Key"),
                f"the {which} key of {name}; without it one is generated",
            )

    def _tls(self, name: str, file: str, deployment: Call, target: Any) -> None:
        """v1's ACI had it per service; AKS per cluster, so that every service of the cluster had it."""
        source, on = deployment, deployment.get("ssl_enabled") in _TRUE
        if deployment.owner != "AciWebservice":
            configuration = target.get("configuration") if isinstance(target, Call) else None
            if not isinstance(configuration, Call):
                return
            enabled = configuration.get("enable_ssl")
            source = enabled if isinstance(enabled, Call) else configuration
            on = any(source.get(key) is not None for key in ("ssl_cname", "leaf_domain_label"))
        if not on:
            if deployment.get("ssl_enabled") is not None:
                self._draft.note(Outcome.MAPPED, deployment.where, f"{deployment.owner}.ssl_enabled", "")
            return
        path = ("services", name, "ssl")
        self._draft.put(file, (*path, "enabled"), True)
        self._draft.note(
            Outcome.MAPPED, source.where, f"{source.owner}.ssl_enabled", f"services.{name}.ssl.enabled"
        )
        label = source.get("leaf_domain_label")
        if isinstance(label, str):
            self._draft.put(file, (*path, "leaf_domain_label"), slug(label, 63))
            self._draft.note(
                Outcome.CHANGED,
                source.where,
                f"{source.owner}.leaf_domain_label",
                f"services.{name}.ssl.leaf_domain_label",
                "cert-manager gets the certificate; it was Microsoft's",
            )
            return
        self._certificate(name, file, source)

    def _certificate(self, name: str, file: str, source: Call) -> None:
        path = ("services", name, "ssl")
        host = source.get("ssl_cname")
        if isinstance(host, str):
            self._draft.put(file, (*path, "cname"), host)
            self._draft.note(
                Outcome.MAPPED, source.where, f"{source.owner}.ssl_cname", f"services.{name}.ssl.cname"
            )
        else:
            self._draft.put(file, (*path, "cname"), "change-me.example.org")
            self._draft.decide(
                source, "ssl_cname", file, (*path, "cname"), "the host name of the certificate"
            )
        for key, field, what in (
            ("cert", "ssl_cert_pem_file", "certificate"),
            ("key", "ssl_key_pem_file", "private key"),
        ):
            given = source.get(field)
            text = (
                f" (v1 read {given!r})"
                if isinstance(given, str) and len(given) < 200 and "\n" not in given
                else ""
            )
            if given is None:
                source.values[field] = ""
            self._draft.secret(
                source,
                field,
                file,
                (*path, key),
                config_key(name, f"tls{key.title()}"),
                f"the {what} of {name} as PEM{text}",
            )

    def _collection(self, name: str, file: str, deployment: Call) -> None:
        if (given := deployment.get("collect_model_data")) is None:
            return
        path = ("services", name, "collect_model_data")
        if given in _TRUE:
            self._draft.put(file, (*path, "enabled"), True)
        why = (
            "inputs and outputs are collected by the server; `ModelDataCollector` in the script is not needed"
        )
        self._draft.note(
            Outcome.CHANGED, deployment.where, f"{deployment.owner}.collect_model_data", ".".join(path), why
        )

    def _traffic(self, name: str, file: str, deployment: Call) -> None:
        if (given := _number(deployment.get("traffic_percentile"))) is None:
            return
        path = ("services", name, "rollout")
        first = int(given)
        steps = [first, 100] if 0 < first < 100 else [5, 25, 100]
        self._draft.put(file, path, {"strategy": "canary", "steps": steps})
        why = "a new version gets that share first and all of it after a watched while"
        self._draft.note(
            Outcome.CHANGED, deployment.where, f"{deployment.owner}.traffic_percentile", ".".join(path), why
        )

    # --- the local stack ---------------------------------------------------------------------------------

    def _here(self, name: str, image: str, deployment: Call) -> None:
        """The service on this machine: the same script, limits and authentication."""
        file, what = overlay(LOCAL), self._draft.files[BASE]["images"][image]
        if azure_only(str(what.get("base_image", ""))):
            why = "its base image may run on Azure only: there is no service on this machine"
            self._draft.note(
                Outcome.CHANGED, deployment.where, f"{deployment.owner}", f"services.{name}", why
            )
            return
        there = self._draft.files.get(file, {}).get("services", {})
        if deployment.owner != "LocalWebservice" and name in there:
            return
        self._local_models(what, deployment)
        entry = self._draft.entry(file, "services", name)
        given = _number(deployment.get("port"))
        entry.update({"image": image, "target": self._targets.local(), "port": self._free_port(given)})
        if given is not None:
            what = f"{deployment.owner}.port"
            self._draft.note(Outcome.MAPPED, deployment.where, what, f"services.{name}.port")
        original = (
            self._draft.files.get(overlay(STACKS[deployment.owner]), {}).get("services", {}).get(name, {})
        )
        on_cluster = deployment.owner in ("AksWebservice", "AksEndpoint")
        entry["auth_enabled"] = original.get("auth_enabled", on_cluster)
        for key in (
            "description",
            "scoring_timeout_ms",
            "replica_max_concurrent_requests",
            "max_request_wait_time",
        ):
            if key in original:
                entry[key] = original[key]

    def _local_models(self, image: dict[str, Any], deployment: Call) -> None:
        """A run's output is read by Azure alone; on this machine the model is a file."""
        models: dict[str, Any] = self._draft.files[BASE].get("models", {})
        for model in image.get("models", []):
            if str(models.get(model, {}).get("source", "")).startswith("azureml://"):
                path = ("models", model, "source")
                self._draft.put(overlay(LOCAL), path, f"models/{model}")
                why = "download the run's output to run it on this machine, and name the file"
                self._draft.decide(deployment, "models", overlay(LOCAL), path, why)

    def _free_port(self, wanted: float | None) -> int:
        services = cast("dict[str, Any]", self._draft.files.get(overlay(LOCAL), {}).get("services", {}))
        taken = {entry.get("port") for entry in services.values()}
        if wanted is not None and int(wanted) not in taken:
            return int(wanted)
        while self._port in taken:
            self._port += 1
        return self._port

    # --- batch -------------------------------------------------------------------------------------------

    def batch(self, wanted: str, image: str, parallel: Call) -> str:
        """A `ParallelRunConfig` as a batch service."""
        file, name = overlay(PROD), self._draft.free_name("services", slug(wanted, 32))
        self._draft.settle(parallel, f"services.{name}")
        place = self._targets.batch(parallel.get("compute_target"), parallel, self._location)
        self._draft.entry(file, "services", name).update({"image": image, "target": place})
        handled = frozenset(
            {
                "environment",
                "entry_script",
                "source_directory",
                "compute_target",
                "environment_variables",
                "output_action",
                "logging_level",
                "mini_batch_size",
            }
        )
        self._draft.apply(parallel, file, {"services": name}, handled=handled)
        batch = ("services", name, "batch")
        for key, allowed in (
            ("output_action", ("append_row", "summary_only")),
            ("logging_level", ("debug", "info", "warning")),
        ):
            value = str(parallel.get(key) or "").lower()
            if value in allowed:
                self._draft.put(file, (*batch, key), value)
                self._draft.note(
                    Outcome.MAPPED, parallel.where, f"ParallelRunConfig.{key}", ".".join((*batch, key))
                )
        self._mini_batch(parallel, file, batch)
        return name

    def _mini_batch(self, parallel: Call, file: str, batch: tuple[str, ...]) -> None:
        given = parallel.get("mini_batch_size")
        if given is None:
            return
        path = (*batch, "mini_batch_size")
        if re.fullmatch(r"\d+", str(given)):
            self._draft.put(file, path, int(given))
            self._draft.note(
                Outcome.MAPPED, parallel.where, "ParallelRunConfig.mini_batch_size", ".".join(path)
            )
        else:
            self._draft.put(file, path, 10)
            why = f"{given!r} was a size of tabular data; here it is a number of files, and 10 is the default"
            self._draft.decide(parallel, "mini_batch_size", file, path, why)


def service_name(planned: Planned, models: list[str], draft: Draft) -> str:
    """The service's name in the manifest; what is known of it when the script makes it up."""
    given, call = planned.name, planned.call
    if isinstance(given, Choice):
        given = next((one for one in given.values if isinstance(one, str)), given.values[0])
    wanted = given
    if not isinstance(given, str):
        known = given.known if isinstance(given, Unknown) else ""
        wanted = _HOLES.sub("", known) or models[0]
        text = f": the script says `{given.text}`" if isinstance(given, Unknown) else ""
        why = f"the service's name{text}; only running it tells, and any name will do"
        draft.note(Outcome.DECIDE, call.where, f"{call.owner}.name", f"services.{slug(wanted)}", why)
    stack = overlay(stack_of(planned))
    taken = set(draft.files.get(stack, {}).get("services", {}))
    name, number = slug(wanted), 2
    while name in taken:
        name, number = f"{slug(wanted)}-{number}", number + 1
    if name == given:
        draft.note(Outcome.MAPPED, call.where, f"{call.owner}.name", f"services.{name}")
    elif isinstance(given, str):
        why = f"{given!r} is no name on every target, or is taken"
        draft.note(Outcome.CHANGED, call.where, f"{call.owner}.name", f"services.{name}", why)
    return name


def _number(value: Any) -> float | None:
    if isinstance(value, int | float):
        return None if isinstance(value, bool) else float(value)
    return float(value) if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value) else None
