#: up -> create=2
import pulumi
from tp import Res

a = Res("a", value=1)
pulumi.export("computed", a.computed)
pulumi.export("nested", {"list": [1, 2.5, None, True], "id": a.id})
pulumi.export("secret", pulumi.Output.secret({"k": "v"}))
#: up -> same=2
#: up -> same=2
import pulumi
from tp import Res

a = Res("a", value=1)
pulumi.export("computed", a.computed)
#: up --expect-no-changes -> same=2
