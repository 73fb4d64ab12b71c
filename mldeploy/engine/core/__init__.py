"""One operation on one stack: from registrations to steps, and the steps carried out."""
