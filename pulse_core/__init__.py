"""What the pulse API and the Celery workers share: the domain, the database, the brokers."""

from importlib.metadata import version

__version__ = version("pulse-execution")
