"""Services on targets of type local."""
