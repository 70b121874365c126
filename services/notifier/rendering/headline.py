"""What an email is about: in full as its heading, cut to one line as its subject. Pure."""

from typing import Final, NamedTuple

from services.notifier.rendering.plain_text import truncate

SUBJECT_LENGTH: Final = 60
"""The part of a subject that phones and email programs show."""


class Headline(NamedTuple):
    """A subject, such as a need, plan or council, and the rest of the sentence. Only the subject is ever cut."""

    need: str
    said: str

    @property
    def full(self) -> str:
        """The heading."""
        return f"{self.need}{self.said}"

    @property
    def subject(self) -> str:
        """The subject, of at most SUBJECT_LENGTH characters."""
        return f"{truncate(self.need, SUBJECT_LENGTH - len(self.said))}{self.said}"
