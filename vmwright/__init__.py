"""Builds virtual machines on libvirt hosts as a persisted graph of reversible tasks."""
