#: preview -> create=1
pass
#: up -> create=1
#: up -> same=1
#: destroy -> delete=1
#: destroy
