"""Why a raw file cannot be used."""

REASONS = (
    "missing",
    "empty",
    "undecodable",
    "truncated",
    "too short",
    "too long",
    "outside",
)


class UnusableFile(Exception):
    """A raw file that cannot become part of a record: one of REASONS, and the detail.

    Such files are listed in ``failed.csv``; every other exception is a program error.
    """

    def __init__(self, reason: str, detail: str):
        assert reason in REASONS, reason
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
