"""Services on targets of type kubernetes."""
