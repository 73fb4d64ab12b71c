#: up -> create=2
from tp import Res

Res("a", value=1)
#: preview -> same=1 update=1
from tp import Res

Res("a", value=2, extra=[1, {"x": "y"}])
#: up -> same=1 update=1
#: up --expect-no-changes -> same=2
