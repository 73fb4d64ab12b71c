"""Services on targets of type batch."""
