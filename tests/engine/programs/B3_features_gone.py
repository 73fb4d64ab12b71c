#: up -> create=3
import pulumi
from tp import Res

a = Res("a")
Res("b", opts=pulumi.ResourceOptions(replace_with=[a]))
#: up -> same=3
import pulumi
from tp import Res

a = Res("a")
Res("b")
