"""What several rules ask of one case: each clue is read in one place."""
