"""The programme office's numbers as of any day. Pure: records go in, measures come out."""
