#: up -> create=5
from tp import Group, Res
import pulumi

Group("g", body=lambda g: Res("a", opts=pulumi.ResourceOptions(parent=g)) and None)
p = Res("p")
Res("child", opts=pulumi.ResourceOptions(parent=p))
#: up -> create=1 delete=2 replace=1 same=2
from tp import Group, Res
import pulumi

Res("a")
p = Res("p", force=1)
Res("child", opts=pulumi.ResourceOptions(parent=p))
#: up -> delete=1 replace=1 same=2
from tp import Res
import pulumi

p = Res("p", force=1, dbr=1)
Res("child", opts=pulumi.ResourceOptions(parent=p))
#: up -> delete=1 same=2
from tp import Res

Res("p", force=1, dbr=1)
#: destroy -> delete=2
