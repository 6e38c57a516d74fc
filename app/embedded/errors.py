"""What keeps `locum up` from starting."""


class CannotStart(Exception):
    """One clear line for the operator: what is wrong and, where there is one, the way out."""
