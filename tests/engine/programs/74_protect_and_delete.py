#: up -> create=7
from tp import Group, Res
import pulumi

p = pulumi.ResourceOptions(protect=True)
a = Res("a", opts=p)
b = Res("b", value=a.id)
Group("g", body=lambda g: Res("k", opts=pulumi.ResourceOptions(parent=g)) and None)
Group("h", body=lambda h: Res("l", name="l", opts=pulumi.ResourceOptions(parent=h, protect=True)) and None)
#: destroy -> fail delete=3
#: up -> fail create=1 same=1
from tp import Res

Res("b")
#: preview -> fail same=2
#: up -> same=4 update=1
from tp import Group, Res
import pulumi

a = Res("a")
b = Res("b", value=a.id)
Group("h", body=lambda h: Res("l", name="l", opts=pulumi.ResourceOptions(parent=h)) and None)
#: destroy -> delete=5
