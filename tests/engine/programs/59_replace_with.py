#: up -> create=3
import pulumi
from tp import Res

a = Res("a", force=1)
Res("b", opts=pulumi.ResourceOptions(replace_with=[a]))
#: up -> same=1 replace=2
import pulumi
from tp import Res

a = Res("a", force=2)
Res("b", opts=pulumi.ResourceOptions(replace_with=[a]))
#: up -> same=3
