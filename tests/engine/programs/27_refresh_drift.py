#: up -> create=3
from tp import Res

Res("a", value=1)
Res("b", value=1)
#: edit a-1 value=5
#: refresh -> same=2 update=1
#: refresh -> same=3
#: up -> same=2 update=1
#: drop b-1
#: refresh -> same=2 delete=1
#: up -> same=2 create=1
#: up --expect-no-changes -> same=3
