"""The SDK of the test provider, copied beside each test program."""

import pulumi


class Res(pulumi.CustomResource):
    def __init__(self, resource_name, /, opts=None, type_="tp:index:Res", **props):
        props.setdefault("name", resource_name)
        if props.get("auto"):
            props.pop("name")
        super().__init__(type_, resource_name, {**props, "computed": None, "generation": None}, opts)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return pulumi.get(self, name)


class Provider(pulumi.ProviderResource):
    def __init__(self, name, opts=None, **props):
        super().__init__("tp", name, props, opts)


class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None, body=None, type_="test:index:Group", **props):
        super().__init__(type_, name, props, opts)
        outputs = body(self) if body else None
        self.register_outputs(outputs or {})
