"""Kept for tools that look for it; every piece of metadata is in pyproject.toml."""

from setuptools import setup

setup()
