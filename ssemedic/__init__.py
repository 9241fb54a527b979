"""ssemedic: find out why an event stream is dead, repair its host, prove the repair.

Modules that also run on the inspected host (``nginx``, ``probe.inside`` and what
they import) keep to the standard library and to Python 3.8 syntax, because they
travel there through ``plugins/module_utils``.
"""

__version__ = "0.1.0"
