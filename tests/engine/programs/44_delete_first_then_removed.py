#: up -> create=2
from tp import Res

Res("a", dbr=1)
#: up -> fail "the full reason"
from tp import Res

Res("a", dbr=2, fail=["create"])
#: up
import pulumi
#: up --expect-no-changes
