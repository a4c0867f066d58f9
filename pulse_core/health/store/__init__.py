"""The rows of processes and sweep runs. A store opens no transaction."""
