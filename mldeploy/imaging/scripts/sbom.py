"""Prints a CycloneDX 1.5 list of the packages in the given folders. Standard library only."""

import importlib.metadata
import json
import pathlib
import sys


def components(folders: "list[str]") -> "list[dict[str, str]]":
    paths: list[str] = []
    for folder in folders:
        paths += [folder, *(str(path) for path in pathlib.Path(folder).glob("lib/python3*/site-packages"))]
    found: dict[tuple[str, str], dict[str, str]] = {}
    for package in importlib.metadata.distributions(path=paths):
        name = package.metadata["Name"].lower().replace("_", "-")
        found[name, package.version] = {
            "type": "library",
            "name": name,
            "version": package.version,
            "purl": f"pkg:pypi/{name}@{package.version}",
        }
    return [found[key] for key in sorted(found)]


if __name__ == "__main__":
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "components": components(sys.argv[1:]),
    }
    print(json.dumps(document, indent=1, sort_keys=True))
