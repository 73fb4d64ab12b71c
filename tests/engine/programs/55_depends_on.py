#: up --parallel 1 -> create=5
import pulumi
from tp import Group, Res

a = Res("a")
g = Group("g", body=lambda g: {"x": Res("inside", value=a.id, opts=pulumi.ResourceOptions(parent=g)).id})
Res("b", opts=pulumi.ResourceOptions(depends_on=[a, g]))
#: destroy --parallel 1 -> delete=5
