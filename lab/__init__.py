"""Real Debian hosts on one machine: systemd, journald, sshd, nginx and a notify service.

Hosts live on a network that only the lab can see. `python -m lab` is the way in.
"""
