"""The one exception whose message is written for the user."""


class FkdError(Exception):
    """A fault of the input that the user can correct.

    The message says what was wrong, where (file, key), and what to do about it.
    It is shown without a traceback.
    """
