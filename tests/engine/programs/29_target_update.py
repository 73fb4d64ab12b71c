#: up -> create=4
from tp import Res

a = Res("a", value=1)
Res("b", value=a.computed)
Res("c", value=1)
#: preview --target {c} -> same=3 update=1
from tp import Res

a = Res("a", value=2)
Res("b", value=a.computed)
Res("c", value=2)
#: up --target {c} -> same=3 update=1
#: up --target {a} --target-dependents -> same=2 update=2
#: up --expect-no-changes -> same=4
