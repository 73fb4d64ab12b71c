#: up -> create=2
import pulumi
from tp import Res

Res("a", opts=pulumi.ResourceOptions(retain_on_delete=True))
#: up -> same=1 delete=1
import pulumi
