#: preview -> fail "is not allowed"
from tp import Res

Res("a", value=1, fail=["check"])
#: up -> fail "is not allowed"
