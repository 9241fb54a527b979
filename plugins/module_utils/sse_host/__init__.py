"""What ``sse_evidence`` reads on a host: one file per source, plain data out.

Everything here runs on the inspected host: standard library, Python 3.8, changes
nothing, and every read is bounded. The plain data decodes with ``Evidence.from_dict``.
"""
