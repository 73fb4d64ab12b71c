#: up -> create=4
import pulumi
from tp import Res

Res("a", opts=pulumi.ResourceOptions(version="1.0.0", plugin_download_url="https://get.example.org/tp/"))
Res("b", opts=pulumi.ResourceOptions(plugin_download_url="github://api.github.com/x-y"))
Res("c", opts=pulumi.ResourceOptions(version="1.0.0-alpha.1+build.7"))
