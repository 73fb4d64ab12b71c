"""What scripts import of azureml-inference-server-http."""
