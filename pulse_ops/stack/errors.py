"""What ends a command of the stack with one sentence for the person at the terminal."""


class StackError(Exception):
    """The stack cannot start or go on; the text says why and what to do about it."""


class NotRunning(StackError):
    """No stack runs on this data folder."""
