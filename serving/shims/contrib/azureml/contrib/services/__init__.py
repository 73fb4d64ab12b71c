"""What scripts import of azureml-contrib-services."""
