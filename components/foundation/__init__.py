"""What the Azure services of a stack share."""
