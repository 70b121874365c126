"""The collector's rules, without a feed, a broker or a database."""
