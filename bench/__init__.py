"""How fast a diagnosis is, side by side with what people use today."""
