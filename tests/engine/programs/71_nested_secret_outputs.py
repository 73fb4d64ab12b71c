#: up -> create=3
import pulumi
from tp import Group, Res

s = pulumi.Output.secret({"user": "u", "keys": ["k1", {"deep": "k2"}]})
a = Res("a", value={"plain": 1, "hidden": [s, "x"]}, tags=[pulumi.Output.secret("t"), "open"])
Group("g", body=lambda g: {"inner": {"list": [a.value, s], "n": 1}}, label=pulumi.Output.secret("l"))
pulumi.export("nested", {"a": a.value, "b": ["x", s]})
pulumi.export("first", a.tags.apply(lambda t: t[0]))
pulumi.export("shown", pulumi.Output.unsecret(s))
#: preview -> same=3
#: up -> same=1 update=2
import pulumi
from tp import Group, Res

s = pulumi.Output.secret({"user": "u", "keys": ["k1", {"deep": "changed"}]})
a = Res("a", value={"plain": 1, "hidden": [s, "x"]}, tags=["t", "open"])
Group("g", body=lambda g: {"inner": {"list": [a.value], "n": 2}})
pulumi.export("nested", {"a": a.value})
#: refresh -> same=3
#: up --expect-no-changes -> same=3
#: destroy -> delete=3
