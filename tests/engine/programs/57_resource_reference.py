#: up -> create=4
import pulumi
from tp import Group, Res

a = Res("a", value=1)
g = Group("g", ref=a)
Res("b", ref=a, group=g)
pulumi.export("a", a)
#: up
