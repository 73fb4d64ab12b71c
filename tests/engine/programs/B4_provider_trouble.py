#: up -> fail "bad credentials"
import pulumi
from tp import Provider, Res

p = Provider("p", fail=["configure"])
Res("a", opts=pulumi.ResourceOptions(provider=p))
#: up -> create=1 same=1 update=1
import pulumi
from tp import Provider, Res

p = Provider("p")
Res("a", opts=pulumi.ResourceOptions(provider=p))
#: up -> fail "bad credentials"
import pulumi
from tp import Provider, Res

p = Provider("p", fail=["configure"])
Res("a", opts=pulumi.ResourceOptions(provider=p))
#: up -> fail "bad credentials"
import pulumi
from tp import Provider, Res

p = Provider("p", region="eu2", fail=[])
Res("a", opts=pulumi.ResourceOptions(provider=p))
