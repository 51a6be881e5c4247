"""Describe every topic for those who read or write it: an AsyncAPI document, made from the code."""
