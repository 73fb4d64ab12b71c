#: up -> create=8
import pulumi
from tp import Group, Provider, Res

p = Provider("p", region="eu")
top = Res("top", opts=pulumi.ResourceOptions(provider=p))
Res("below", opts=pulumi.ResourceOptions(parent=top))
middle = Group("middle", opts=pulumi.ResourceOptions(parent=top))
Res("in_middle", opts=pulumi.ResourceOptions(parent=middle))
versioned = Res("versioned", opts=pulumi.ResourceOptions(version="1.0.0"))
Res("follows", opts=pulumi.ResourceOptions(parent=versioned))
#: up --expect-no-changes -> same=8
#: destroy -> delete=8
