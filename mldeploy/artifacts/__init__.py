"""What goes into a service: models and where they come from, digests of content, conda files."""
