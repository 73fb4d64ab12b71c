#: up -> create=2
from tp import Res

Res("a", force=1, fail=["delete"])
#: up -> fail "the full reason"
from tp import Res

Res("a", force=2)
#: up -> fail "the full reason"
#: preview
