"""The page that finds out in a real browser why an event stream is dead."""
