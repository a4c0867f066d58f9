"""The statements of broker accounts."""
