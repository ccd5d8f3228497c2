"""Whether a number means what it says: the models, data and benchmarks behind it, put to the test."""
