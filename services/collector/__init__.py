"""Collects public notices from Find a Tender and Contracts Finder, and publishes the plans that they announce."""
