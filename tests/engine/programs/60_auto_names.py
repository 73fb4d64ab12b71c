#: up -> create=2
from tp import Res

Res("a", auto=True, put=False)
#: up --expect-no-changes -> same=2
