"""The report: one model, several forms."""
