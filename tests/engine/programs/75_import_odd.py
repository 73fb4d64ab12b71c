#: up -> create=4
from tp import Res

Res("owner", put=True, name="x1", value=1)
Res("other", put=True, name="x2", value=1)
Res("gone", put=True, name="x3", opts=__import__("pulumi").ResourceOptions(retain_on_delete=True))
#: up -> delete=1 import=1 same=3 update=1
from tp import Res
import pulumi

Res("owner", put=True, name="x1", value=1)
Res("other", put=True, name="x2", value=1)
Res("taken", put=True, name="x3", value=9, opts=pulumi.ResourceOptions(import_="x3"))
#: up -> same=4
from tp import Res
import pulumi

Res("owner", put=True, name="x1", value=1)
Res("other", put=True, name="x2", value=1)
Res("taken", put=True, name="x3", value=9, opts=pulumi.ResourceOptions(import_="x3", ignore_changes=["value"]))
#: preview -> same=4
#: up -> same=3 update=1
from tp import Res
import pulumi

Res("owner", put=True, name="x1", value=1)
Res("other", put=True, name="x2", value=1)
Res("taken", put=True, name="x3")
#: up -> same=3 update=1
from tp import Res
import pulumi

Res("owner", put=True, name="x1", value=1, opts=pulumi.ResourceOptions(import_="x1"))
Res("other", put=True, name="x2", value=2, opts=pulumi.ResourceOptions(import_="x2"))
Res("taken", put=True, name="x3")
#: up -> delete=1 replace=1 same=2
from tp import Res
import pulumi

Res("owner", put=True, name="x1", value=1)
Res("other", put=True, name="x1", value=1, opts=pulumi.ResourceOptions(import_="x1"))
#: destroy -> delete=3
