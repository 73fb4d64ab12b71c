#: up -> create=4
import pulumi
from tp import Res

a = Res("a")
b = Res("b", value=a.id, opts=pulumi.ResourceOptions(protect=True))
Res("c", value=b.id)
#: destroy --exclude-protected -> delete=1 same=3
#: destroy -> fail "cannot be deleted"
