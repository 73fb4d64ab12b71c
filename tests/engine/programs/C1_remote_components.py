#: preview -> create=9
import pulumi
from tp import Group, Provider, Res


class Pair(pulumi.ComponentResource):
    def __init__(self, name, opts=None, **props):
        super().__init__("tp:index:Pair", name, {"result": None, **props}, opts, True)


a = Res("a", value=1)
one = Pair("one", value=a.computed)
group = Group("group")
two = Pair("two", value=one.result, opts=pulumi.ResourceOptions(parent=group))
pulumi.export("result", two.result)
#: up -> create=9
#: preview --expect-no-changes -> same=9
#: up -> create=8 update=5 same=4
import pulumi
from tp import Group, Provider, Res


class Pair(pulumi.ComponentResource):
    def __init__(self, name, opts=None, **props):
        super().__init__("tp:index:Pair", name, {"result": None, **props}, opts, True)


a = Res("a", value=2)
one = Pair("one", value=a.computed, opts=pulumi.ResourceOptions(protect=True))
group = Group("group")
two = Pair("two", value=one.result, opts=pulumi.ResourceOptions(parent=group))
p = Provider("p", region="eu")
three = Pair(
    "three",
    value=pulumi.Output.secret("s"),
    opts=pulumi.ResourceOptions(
        provider=p, depends_on=[one], aliases=[pulumi.Alias(name="was")], retain_on_delete=True
    ),
)
Res("c", value=three.result, opts=pulumi.ResourceOptions(depends_on=[two]))
Pair("four", value={"deep": [pulumi.Output.secret("t"), None]}, opts=pulumi.ResourceOptions(ignore_changes=["value"]))
pulumi.export("result", three.result)
#: up -> fail "tp:index:Pair needs a value"
import pulumi


class Pair(pulumi.ComponentResource):
    def __init__(self, name, opts=None, **props):
        super().__init__("tp:index:Pair", name, {"result": None, **props}, opts, True)


Pair("one")
#: up -> fail
import pulumi


class Pair(pulumi.ComponentResource):
    def __init__(self, name, opts=None, **props):
        super().__init__("tp:index:Pair", name, {"result": None, **props}, opts, True)


Pair("four", value=1)
#: destroy -> fail "cannot be deleted"
