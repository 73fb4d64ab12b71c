#: up -> create=2
import pulumi
from tp import Res

Res("a", force=1, opts=pulumi.ResourceOptions(protect=True))
#: up -> fail "unable to replace"
import pulumi
from tp import Res

Res("a", force=2, opts=pulumi.ResourceOptions(protect=True))
#: up -> same=1 replace=1
import pulumi
from tp import Res

Res("a", force=2)
