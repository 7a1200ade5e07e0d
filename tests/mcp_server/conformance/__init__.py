"""What the protocol's conformance suite wants to find on a server, added to ours."""
