#: up -> create=3
import pulumi
from tp import Provider, Res

p = Provider("p", region="eu")
Res("a", value=1, opts=pulumi.ResourceOptions(provider=p))
#: up -> same=3
#: up -> same=2 update=1
import pulumi
from tp import Provider, Res

p = Provider("p", region="eu", note="x")
Res("a", value=1, opts=pulumi.ResourceOptions(provider=p))
#: preview -> same=1 replace=2
import pulumi
from tp import Provider, Res

p = Provider("p", region="us", note="x")
Res("a", value=1, opts=pulumi.ResourceOptions(provider=p))
#: up -> same=1 replace=2
#: up --expect-no-changes -> same=3
#: destroy -> delete=3
