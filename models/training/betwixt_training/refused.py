"""What the command line tells in one sentence, without a traceback."""


class Refused(Exception):
    """Something that the user gave cannot be used; the message is one sentence that names it, what was found and what was
    expected."""
