"""An event stream as it arrived: the record, the parser, what the timing shows."""
