#: up -> create=6
import pulumi
from tp import Group, Res

a = Res("a", dbr=1)
b = Res("b", value=a.id)
c = Res("c", force=a.computed)
d = Res("d", force=c.id)
Res("e", opts=pulumi.ResourceOptions(depends_on=[d]))
#: up
import pulumi
from tp import Group, Res

a = Res("a", dbr=2)
b = Res("b", value=a.id)
c = Res("c", force=a.computed)
d = Res("d", force=c.id)
Res("e", opts=pulumi.ResourceOptions(depends_on=[d]))
#: up -> same=6
#: destroy -> delete=6
