#: config tp:region eu
#: config tp:token s3cret secret
#: up -> create=2
from tp import Res

Res("a", value=1)
#: up -> same=2
#: config tp:note changed
#: up -> same=2
