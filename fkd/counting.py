"""How many things there are, in words."""


def counted(number: int, one: str, many: str = "") -> str:
    """Spell how many things there are, such as ``1,200 crops``.

    Parameters
    ----------
    number : int
        How many.
    one, many : str
        What one of them is called, and several; by default, the same with an s.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
