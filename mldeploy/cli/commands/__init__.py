"""The sub-commands, one module a concern; :mod:`mldeploy.cli.catalog` lists them."""
