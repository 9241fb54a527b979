"""A door on the host that runs ssemedic's own modules as root, and nothing else."""
