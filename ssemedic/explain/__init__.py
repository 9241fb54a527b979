"""What a cause is, in all its parts, and which causes fit what a person sees or searches for."""
