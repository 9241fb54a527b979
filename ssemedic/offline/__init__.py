"""Evidence from files: what somebody sent is judged as a host is, as far as it goes."""
