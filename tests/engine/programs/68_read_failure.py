#: up -> fail "does not exist"
import pulumi
from tp import Res
Res("seen", opts=pulumi.ResourceOptions(id="nothing"))
#: up -> same=1 create=1
from tp import Res
Res("a", value=1)
#: refresh -> same=2
#: edit a-1 'fail=["read"]'
#: refresh -> fail "read failed"
