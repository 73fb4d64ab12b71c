#: write files/one.txt hello
#: write files/sub/two.txt world
#: up -> create=2
import pulumi
from tp import Res

Res(
    "a",
    file=pulumi.FileAsset("files/one.txt"),
    text=pulumi.StringAsset("text"),
    folder=pulumi.FileArchive("files"),
    made=pulumi.AssetArchive({"x": pulumi.StringAsset("y"), "d": pulumi.FileArchive("files")}),
)
#: up --expect-no-changes -> same=2
#: write files/one.txt changed
#: up -> same=1 update=1
