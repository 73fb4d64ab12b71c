"""IoT Hub's automatic deployments: the REST client, its credentials, and the resource over them."""
