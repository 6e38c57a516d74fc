"""What keeps a command from doing what it is for."""


class CannotStart(Exception):
    """One clear line for the operator: what is wrong and, where there is one, the way out."""


def reason(error: Exception) -> str:
    """What an error says, in one line: the driver's own words where SQLAlchemy has wrapped them."""
    original = getattr(error, "orig", None) or error
    return str(original).partition("\n")[0] or type(original).__name__
