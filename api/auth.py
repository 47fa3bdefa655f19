"""Who is asking. Without configured keys there is one caller, and everything is theirs."""

from dataclasses import dataclass

from api.incoming import Incoming
from common.bootstrap import Services


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of the jobs a request makes and may see."""

    owner: str


ANONYMOUS = Caller(owner="")


def identify(services: Services, incoming: Incoming) -> Caller:
    """The caller of a request. The gateway is open, so credentials are not looked at: an OpenAI
    SDK always sends some."""
    return ANONYMOUS
