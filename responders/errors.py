"""Two words decide what happens after a failure: try again, or not."""


class CountersignError(Exception):
    """The message says what happened, on what, why, and what to do next."""


class Temporary(CountersignError):  # noqa: N818  the word of the design
    """Trying again later may work; the engine does so."""


class Permanent(CountersignError):  # noqa: N818  the word of the design
    """Trying again changes nothing: becomes an outcome or an HTTP answer, and is never retried."""


class Refused(Permanent):
    """A caller may not do this: wrong person, wrong state, wrong plan. `status` is the HTTP status to answer with."""

    def __init__(self, message: str, status: int = 409) -> None:
        super().__init__(message)
        self.status = status


class Misconfigured(Refused):
    """A setting is missing or wrong: nothing works until it is set right."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 500)
