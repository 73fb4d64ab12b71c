#: up -> create=3
from tp import Res

a = Res("a", value=1)
Res("b", value=a.computed)
#: edit a-1 value=9
#: preview --refresh
#: up --refresh
#: drop a-1
#: up --refresh
#: up --expect-no-changes -> same=3
