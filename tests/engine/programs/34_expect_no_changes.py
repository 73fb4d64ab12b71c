#: up -> create=2
from tp import Res

Res("a", value=1)
#: preview --expect-no-changes -> fail "no changes"
from tp import Res

Res("a", value=2)
#: up --expect-no-changes -> fail "no changes"
