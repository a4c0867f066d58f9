"""The inbox of alarms."""
