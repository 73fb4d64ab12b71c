#: up -> create=3
from tp import Res

Res("a", value=1, fresh=True)
Res("b", value=1)
#: edit a-1 value=5
#: edit b-1 value=5
#: preview -> same=2 update=1
#: up -> same=2 update=1
#: up -> same=1 update=2
from tp import Res

Res("a", value=5, fresh=True)
Res("b", value=5)
#: drop a-1
#: up -> same=2 create=1
#: destroy -> delete=3
