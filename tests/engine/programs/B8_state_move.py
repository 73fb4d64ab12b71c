#: stack init other
#: up -> create=7
import pulumi
from tp import Group, Provider, Res

p = Provider("p", region="eu")
a = Res("a", value=pulumi.Output.secret("s"))
b = Res("b", value=a.computed, opts=pulumi.ResourceOptions(provider=p, replace_with=[a]))
g = Group("g", body=lambda g: Res("c", value=b.id, opts=pulumi.ResourceOptions(parent=g)).id and None)
Res("d", value=b.computed, opts=pulumi.ResourceOptions(deleted_with=b, depends_on=[a]))
#: state move {b} --dest other
#: state move {b} --dest other -> fail
#: state move {nothing} --dest other -> fail
#: state move {other/b} --dest other -> fail
#: up -> create=1 same=5 update=1
#: state move {b} --dest other -> fail
#: state move {a} {d} --dest other
#: refresh -> same=5
