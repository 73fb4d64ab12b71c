"""Services on targets of type aks."""
