#: up -> create=5
from tp import Group, Res
import pulumi

a = Res("a", value=1)
b = Res("b", value=a.id)
c = Res("c", value=b.id)
Res("z")
#: up --continue-on-error -> fail same=1
from tp import Group, Res
import pulumi

a = Res("a", value=2, fail=["update"])
b = Res("b", value=a.id, other=1)
c = Res("c", value=b.id, other=1)
new = Res("new", value=c.id)
g = Group("g", body=lambda g: Res("k", opts=pulumi.ResourceOptions(parent=g)) and None, opts=pulumi.ResourceOptions(depends_on=[a]))
#: up --continue-on-error -> fail create=1 delete=2 replace=1 same=1
from tp import Group, Res
import pulumi

a = Res("a", dbr=1, fail=["create"])
b = Res("b", force=a.id)
d = Res("d")
pulumi.export("d", d.id)
pulumi.export("b", b.id)
#: up -> delete=1 replace=1 same=2
from tp import Res

Res("a", dbr=1)
Res("d")
#: destroy -> delete=3
