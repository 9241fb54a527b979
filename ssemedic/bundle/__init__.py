"""The escalation bundle: what a person elsewhere needs to judge a host that he cannot reach."""
