"""The HTTP face: translates between the wire and the service, decides nothing."""
