#: up -> create=3
import pulumi
from tp import Res

a = Res("a", value=pulumi.Output.secret("hush"), nested={"deep": [pulumi.Output.secret("psst"), "open"]})
Res("b", value=a.value)
#: up --expect-no-changes -> same=3
#: up -> same=1 update=2
import pulumi
from tp import Res

a = Res("a", value=pulumi.Output.secret("louder"), nested={"deep": [pulumi.Output.secret("psst"), "open"]})
Res("b", value=a.value)
