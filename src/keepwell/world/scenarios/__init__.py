"""Scenarios that come with keepwell; one YAML file each."""
