"""Collects public notices from Find a Tender and Contracts Finder, and publishes the plans in them."""
