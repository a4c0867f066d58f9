"""What ends the stack with one sentence for the person at the terminal."""


class StackError(Exception):
    """The stack cannot start or go on; the text says why and what to do about it."""
