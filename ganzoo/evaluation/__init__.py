"""How good samples are: features of a frozen network, distances between them, the protocol of a score."""
