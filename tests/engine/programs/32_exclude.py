#: up -> create=3
from tp import Res

Res("a", value=1)
Res("b", value=1)
#: up --exclude {a} -> same=2 update=1
from tp import Res

Res("a", value=2)
Res("b", value=2)
#: up -> same=2 update=1
