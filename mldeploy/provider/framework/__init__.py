"""What every resource of the provider stands on: declared fields, the protocol over them, the package's schema."""
