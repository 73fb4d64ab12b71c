#: config conf:name plain
#: config conf:hidden s3cret secret
#: config conf:object '{"a":[1,2]}'
#: up -> create=2
import pulumi
from tp import Res

c = pulumi.Config()
Res("a", value=c.require("name"), hidden=c.require_secret("hidden"), object=c.require_object("object"))
#: up --expect-no-changes -> same=2
#: up -> fail "missing"
import pulumi

pulumi.Config().require("missing")
