#: up -> create=6
import pulumi
from tp import Group, Res

keep = Res("keep")
outer = Group("outer", opts=pulumi.ResourceOptions(retain_on_delete=True))
inner = Group("inner", opts=pulumi.ResourceOptions(parent=outer))
Res("kept", opts=pulumi.ResourceOptions(parent=inner))
Res("not_kept", opts=pulumi.ResourceOptions(parent=inner, retain_on_delete=False))
#: up -> same=2 delete=4
import pulumi
from tp import Res

keep = Res("keep")
#: up -> same=2 create=4
import pulumi
from tp import Group, Res

keep = Res("keep")
group = Group("with", opts=pulumi.ResourceOptions(deleted_with=keep))
Res("child", opts=pulumi.ResourceOptions(parent=group))
top = Res("top", opts=pulumi.ResourceOptions(deleted_with=keep))
Res("below", opts=pulumi.ResourceOptions(parent=top))
#: destroy -> delete=6
#: up -> create=4
import pulumi
from tp import Group, Res

group = Group("g", opts=pulumi.ResourceOptions(protect=True))
Res("held", opts=pulumi.ResourceOptions(parent=group))
Res("free", opts=pulumi.ResourceOptions(parent=group, protect=False))
#: destroy -> fail "cannot be deleted"
#: up -> create=1 same=2 update=1
import pulumi
from tp import Group, Res

group = Group("g", opts=pulumi.ResourceOptions(protect=False))
Res("held", value=1, opts=pulumi.ResourceOptions(parent=group))
Res("free", opts=pulumi.ResourceOptions(parent=group, protect=True))
#: up -> same=4
import pulumi
from tp import Group, Res

group = Group("g")
Res("held", value=1, opts=pulumi.ResourceOptions(parent=group))
Res("free", opts=pulumi.ResourceOptions(parent=group))
#: destroy -> delete=4
