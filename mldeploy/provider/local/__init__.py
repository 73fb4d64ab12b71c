"""Services on this machine: models, environments, images, replicas, gates and ports."""
