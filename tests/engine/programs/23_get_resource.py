#: up -> create=2
import pulumi
from tp import Res

Res("a", value=7, opts=pulumi.ResourceOptions(retain_on_delete=True))
#: up -> same=1 delete=1
import pulumi

#: up -> same=1
import pulumi
from tp import Res

got = Res("seen", opts=pulumi.ResourceOptions(id="a-1"))
pulumi.export("value", got.value)
#: up -> same=1
#: destroy
