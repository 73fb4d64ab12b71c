"""Runs in an environment of its own with Microsoft's `azure-iot-hub`: operations, and the answers as JSON.

python microsoft_client.py <base URL> <connection string> <list of [operation, arguments] as JSON>
"""

import json
import sys

from azure.iot.hub import IoTHubConfigurationManager
from azure.iot.hub.models import Configuration, ConfigurationContent, ConfigurationMetrics


def configuration(body):
    """Our body as Microsoft's model."""
    return Configuration(
        id=body["id"],
        schema_version=body["schemaVersion"],
        labels=body["labels"],
        content=ConfigurationContent(modules_content=body["content"]["modulesContent"]),
        target_condition=body["targetCondition"],
        priority=body["priority"],
        metrics=ConfigurationMetrics(queries=body["metrics"]["queries"]),
    )


def perform(manager, operation, given, etag):
    """One operation; ``etag`` is that of the last answer."""
    if operation == "create":
        return manager.create_configuration(configuration(given))
    if operation == "update":
        return manager.update_configuration(configuration(given), etag)
    if operation == "get":
        return manager.get_configuration(given)
    if operation == "list":
        return manager.get_configurations(100)
    if operation == "delete":
        return manager.delete_configuration(given, etag)
    raise ValueError(operation)


def main():
    url, connection_string, operations = sys.argv[1:]
    manager = IoTHubConfigurationManager(connection_string)
    # Its host is always spoken to with TLS; a stand-in on a loopback address has none.
    manager.protocol._client._base_url = url
    manager.protocol.config.base_url = url
    answers, etag = [], ""
    for operation, given in json.loads(operations):
        found = perform(manager, operation, given, etag)
        etag = getattr(found, "etag", etag)
        found = found if isinstance(found, list) else [found] if found else []
        answers.append([item.serialize() for item in found])
    print(json.dumps(answers))


main()
