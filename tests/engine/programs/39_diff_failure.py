#: up -> create=2
from tp import Res

Res("a", value=1)
#: up -> fail "diff failed"
from tp import Res

Res("a", value=1, fail=["diff"])
