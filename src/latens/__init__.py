"""latens: a learned image codec that people can trust with their files."""
