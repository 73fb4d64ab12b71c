"""One module a target type: it turns the manifest's services on a target of that type into components.

Each module has ``deploy(context, name, target, services) -> dict[str, Endpoint]``. :mod:`components.compose` imports
the module of a type only when the manifest uses it, so that no stack loads an SDK it does not need.
"""
