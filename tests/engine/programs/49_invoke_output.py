#: preview -> create=3
import pulumi
from tp import Res

a = Res("a", value=1)
r = pulumi.runtime.invoke_output("tp:index:echo", {"x": a.computed})
Res("b", value=r.apply(lambda v: v["result"]["x"]))
#: up -> create=3
#: up --expect-no-changes -> same=3
