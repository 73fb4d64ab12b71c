"""Makes the resources of a generated program, which is a list of JSON objects; copied beside it."""

import pulumi
from tp import Group, Provider, Res


def build(specs):
    made = {}

    def value(given):
        if isinstance(given, list):
            return [value(item) for item in given]
        if not isinstance(given, dict):
            return given
        if "$ref" in given:
            return getattr(made[given["$ref"]], given["of"])
        if "$secret" in given:
            return pulumi.Output.secret(value(given["$secret"]))
        return {key: value(item) for key, item in given.items()}

    for spec in specs:
        options = dict(spec.get("options", {}))
        for key in ("parent", "provider", "deleted_with"):
            if key in options:
                options[key] = made[options[key]]
        for key in ("depends_on", "replace_with", "providers"):
            if key in options:
                options[key] = [made[name] for name in options[key]]
        if "aliases" in options:
            options["aliases"] = [
                pulumi.Alias(**{k: (made[v] if k == "parent" and v else v) for k, v in alias.items()})
                for alias in options["aliases"]
            ]
        if "custom_timeouts" in options:
            options["custom_timeouts"] = pulumi.CustomTimeouts(**options["custom_timeouts"])
        props = {key: value(given) for key, given in spec.get("props", {}).items()}
        opts = pulumi.ResourceOptions(**options)
        kind = spec["kind"]
        if kind == "group":
            made[spec["name"]] = Group(spec["name"], opts=opts)
        elif kind == "provider":
            made[spec["name"]] = Provider(spec["name"], opts=opts, **props)
        else:
            made[spec["name"]] = Res(spec["name"], opts=opts, type_=f"tp:index:{kind}", **props)
    for spec in specs:
        if spec.get("export"):
            pulumi.export(spec["name"], made[spec["name"]].urn)
