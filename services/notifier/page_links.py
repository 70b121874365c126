"""Links to the pages in an email: to each need's group, to pause or stop, and for the unsubscribe button."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from email.message import EmailMessage

from services.domain.links import LinkMaker
from services.notifier.rendering.coalition_view import CoalitionLetter
from services.notifier.rendering.mail_view import EmailView
from services.notifier.rendering.opportunity_view import OpportunityView
from services.platform import clock
from services.store import coalition_notices
from services.store.authorities import Authority


@dataclass(frozen=True, slots=True)
class PageLinks:
    """The links of one email to one authority's mailbox, made on one day."""

    maker: LinkMaker
    row: Authority
    today: date

    def in_letter(self, letter: EmailView, subjects: Mapping[str, str]) -> EmailView:
        """Add a link for each need and each introduction.

        `subjects`: the group or match that a need's link leads to, by the own plan.
        """
        blocks = tuple(replace(block, link=self._answer(subjects[block.plan_id])) for block in letter.blocks)
        asked, closed = (tuple(map(self._introducing, items)) for items in (letter.asked, letter.closed))
        return replace(
            letter,
            blocks=blocks,
            asked=asked,
            closed=closed,
            stop_link=self.stop(letter.purpose),
            search_link=f"{self.maker.base}/search",
        )

    def in_coalition_letter(self, letter: CoalitionLetter) -> CoalitionLetter:
        """Add a link to the letter's coalition."""
        stop_link = self.stop(coalition_notices.PURPOSE)
        return replace(letter, answer_link=self._answer(letter.coalition_id), stop_link=stop_link)

    def confirm(self) -> str:
        """The page on which the authority says which of its plans are still true."""
        return self.maker.confirm(self.row.authority, self.row.mailbox_ref, self.today)

    def enquiry(self, request_id: str) -> str:
        """The page on which the authority says whether it shares its prices."""
        return self.maker.enquiry(self.row.authority, request_id, self.row.mailbox_ref, self.today)

    def benchmark(self, plan_id: str) -> str:
        """The page, after signing in, that shows what others pay and takes the decision on an extension."""
        return f"{self.maker.base}/p/{plan_id}/benchmark"

    def add_one_click(self, message: EmailMessage, kind: str) -> None:
        """Add the headers of RFC 8058: the email program's button stops this kind of email without a question."""
        mailto = message["List-Unsubscribe"]
        address = self.stop(kind).replace("/s/", "/unsubscribe/", 1)
        del message["List-Unsubscribe"]
        message["List-Unsubscribe"] = f"<{address}>, {mailto.split(', ')[0]}"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"

    def _introducing(self, item: OpportunityView) -> OpportunityView:
        return replace(item, link=f"{self._answer(item.opportunity_id)}/introduce")

    def _answer(self, subject: str) -> str:
        return self.maker.answer(self.row.authority, subject, self.row.mailbox_ref, self.today)

    def stop(self, kind: str) -> str:
        """The page on which the authority pauses or stops emails. `kind`: the kind of the email that has the link."""
        return self.maker.stop(self.row.authority, kind, self.row.mailbox_ref, self.today)


def links_for(maker: LinkMaker | None, row: Authority) -> PageLinks | None:
    """Return the links of an email to this authority; None if there are no pages.

    A link's validity follows the real date, even when plans are assessed as of a fixed day.
    """
    return PageLinks(maker, row, clock.today(None)) if maker else None
