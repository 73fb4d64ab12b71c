#: up -> fail "does not exist"
import pulumi
from tp import Res
Res("seen", opts=pulumi.ResourceOptions(id="nothing"))
#: up -> create=2
from tp import Res
Res("a", value=1)
#: refresh -> same=2
#: edit a-1 fail=["read"]
#: refresh -> fail "read failed"
