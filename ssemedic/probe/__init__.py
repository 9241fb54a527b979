"""Record a stream: from the host itself (`inside`) and from here (`outside`)."""
