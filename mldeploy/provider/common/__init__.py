"""What services on several kinds of target have in common: their keys and their golden requests."""
