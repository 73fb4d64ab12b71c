#: preview -> create=5
import pulumi
from tp import Group, Res

a = Res("a", value=1)
b = Res("b", value={"id": a.id, "list": [a.computed, "x", None], "text": pulumi.Output.format("{0}-{1}", a.id, "y")})
Res("c", value=pulumi.Output.all(a.id, b.value).apply(lambda v: {"all": v}))
Res("d", value=pulumi.Output.secret(a.computed), opts=pulumi.ResourceOptions(depends_on=[b]))
pulumi.export("out", {"x": b.value, "y": pulumi.Output.secret(a.id)})
#: up -> create=5
#: preview -> create=1 replace=2 same=1 update=2
import pulumi
from tp import Group, Res

a = Res("a", value=2)
b = Res("b", force=a.computed, value={"id": a.id, "list": [a.computed, "x", None]})
Res("c", value=pulumi.Output.all(a.id, b.value).apply(lambda v: {"all": v}))
Res("d", dbr=b.id, opts=pulumi.ResourceOptions(depends_on=[b]))
Res("e", value=b.id)
pulumi.export("out", {"x": b.value})
#: up -> create=1 replace=2 same=1 update=2
#: preview --expect-no-changes -> same=6
