"""What a response costs, measured on this machine: `make bench`."""
