"""The numbers of the programme office, as of any day. Pure: what was recorded by then goes in, measures come out."""
