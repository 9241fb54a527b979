"""The transaction on the host: change it without fear, and undo it without the controller.

Standard library only, Python 3.8 and later. ``undo`` and what it imports are copied into
each transaction's directory, so that the host can undo a change with nothing else left.
"""
