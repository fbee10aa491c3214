"""Random ops whose samples take a varying number of random words, stateless ops, and candidates."""
