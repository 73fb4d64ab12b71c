#: append Pulumi.yaml "main: src/app.py"
#: write src/app.py "import os, pulumi; pulumi.export('v', [__name__, os.path.basename(os.getcwd())])"
#: up -> create=1
import not_run
#: up --expect-no-changes -> same=1
