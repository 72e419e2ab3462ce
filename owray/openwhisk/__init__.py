"""OpenWhisk's control plane: where it is, what is deployed there, and what it says of a call."""
