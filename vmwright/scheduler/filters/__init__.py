"""The rules that hosts must keep; each is an entry point of ``vmwright.scheduler.filters``."""
