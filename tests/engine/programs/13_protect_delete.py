#: up -> create=2
import pulumi
from tp import Res

Res("a", opts=pulumi.ResourceOptions(protect=True))
#: up -> fail "protected"
import pulumi

#: preview -> fail "protected"
#: destroy -> fail "protected"
#: up -> same=2
from tp import Res

Res("a")
#: destroy -> delete=2
