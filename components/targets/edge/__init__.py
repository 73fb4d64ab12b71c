"""Services on targets of type edge."""
