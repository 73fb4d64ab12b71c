#: up -> create=2
import pulumi
from tp import Res

Res("keep", value=1, opts=pulumi.ResourceOptions(retain_on_delete=True))
#: up -> same=1 delete=1
import pulumi

#: up
import pulumi
from tp import Res

Res("taken", name="keep", value=2, opts=pulumi.ResourceOptions(import_="keep-1"))
#: up -> same=2
import pulumi
from tp import Res

Res("taken", name="keep", value=2)
