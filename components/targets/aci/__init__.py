"""Services on targets of type aci."""
