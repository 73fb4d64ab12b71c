#: up -> create=2
import pulumi
from tp import Res

r = pulumi.runtime.invoke("tp:index:echo", {"x": 1, "list": ["a"]}).value
Res("a", value=r)
pulumi.export("r", r)
#: up -> same=2
#: up -> fail "the function failed"
import pulumi

pulumi.runtime.invoke("tp:index:fail", {"x": 1})
