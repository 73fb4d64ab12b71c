#: up -> create=5
from tp import Provider, Res
import pulumi

p = Provider("p", region="eu")
q = Provider("q", region="eu")
Res("a", opts=pulumi.ResourceOptions(provider=p))
Res("b", opts=pulumi.ResourceOptions(provider=q))
#: preview -> replace=2 same=2 update=1
from tp import Provider, Res
import pulumi

p = Provider("p", region="us")
q = Provider("q", region="eu", note="x")
Res("a", opts=pulumi.ResourceOptions(provider=p))
Res("b", opts=pulumi.ResourceOptions(provider=q))
#: up -> replace=2 same=2 update=1
#: up -> delete=1 replace=2 same=2
from tp import Provider, Res
import pulumi

q = Provider("q", region="eu", note="x")
Res("a", opts=pulumi.ResourceOptions(provider=q))
Res("b")
#: up -> delete=1 same=3
from tp import Provider, Res
import pulumi

r = Provider("r", region="eu", note="x", opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name="q")]))
Res("a", opts=pulumi.ResourceOptions(provider=r))
#: up -> fail same=1
from tp import Provider

Provider("bad", bad=True)
#: destroy -> delete=3
