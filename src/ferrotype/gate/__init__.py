"""The gate to the network: where a URL of somebody else may lead us, and the way there."""
