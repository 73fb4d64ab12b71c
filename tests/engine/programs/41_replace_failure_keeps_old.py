#: up -> create=2
from tp import Res

Res("a", force=1)
#: up -> fail "the full reason"
from tp import Res

Res("a", force=2, fail=["create"])
#: up -> same=1 replace=1
from tp import Res

Res("a", force=3)
#: up --expect-no-changes -> same=2
