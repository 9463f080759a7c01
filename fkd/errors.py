"""The one exception that is meant for the user's eyes."""


class FkdError(Exception):
    """Input that the user can mend.

    The message says what was wrong, where (file, key), and what to do about it.
    It is shown without a traceback.
    """
