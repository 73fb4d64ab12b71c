#: up -> create=6
from tp import Group, Res
import pulumi

a = Res("a", value=1)
b = Res("b", value=a.id)
Group("g", body=lambda g: Res("k", opts=pulumi.ResourceOptions(parent=g, protect=True)) and None)
Res("m", value=1)
pulumi.export("b", b.computed)
#: drop a-1
#: drop k-1
#: edit m-1 value=5
#: preview --refresh -> create=2 same=2 update=2
#: refresh --target {m} -> update=1
#: refresh -> delete=2 same=4
#: up -> create=2 same=2 update=2
#: drop b-1
#: up --refresh -> create=1 same=5
#: drop a-2
#: destroy -> fail delete=3
#: destroy --refresh -> fail none
#: up -> fail create=1 same=1
from tp import Res

Res("only")
#: drop only-1
#: destroy -> fail delete=1
