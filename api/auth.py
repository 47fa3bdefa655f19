"""Who is asking. Without configured keys there is one caller, and everything is theirs."""

from dataclasses import dataclass

from api.foreign_pages import refuse_foreign_pages
from api.headers import credential
from api.incoming import Incoming
from common.bootstrap import Services
from common.errors import Unauthenticated
from common.log_context import note
from common.virtual_keys import VirtualKey


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of the jobs a request makes and may see, by the key that was sent, if any.

    An owner is a key's id and not its secret, so that a rotation changes nothing.
    """

    owner: str
    key: VirtualKey | None = None

    @property
    def is_admin(self) -> bool:
        return self.key is not None and self.key.is_admin

    @property
    def max_running(self) -> int | None:
        return self.key.max_running if self.key is not None else None

    def may_see(self, owner: str) -> bool:
        """Whether what belongs to this owner exists, as far as the caller is concerned."""
        return self.is_admin or owner == self.owner


ANONYMOUS = Caller(owner="")


def identify(services: Services, incoming: Incoming) -> Caller:
    """The caller of a request, without asking anybody.

    Raises Unauthenticated, the same for a key that is missing, unknown, expired or revoked, and
    ServiceUnavailable while it cannot be known whether there are keys. An open gateway does not
    look at credentials: an OpenAI SDK always sends some. It raises PermissionDenied for what other
    people's web pages make a browser send.
    """
    if services.keyring.is_open:
        refuse_foreign_pages(incoming, services.settings)
        return ANONYMOUS
    secret = credential(incoming)
    key = services.keyring.find(secret) if secret else None
    if key is None:
        raise unauthenticated()
    note(key=key.name)
    return Caller(key.id, key)


def unauthenticated() -> Unauthenticated:
    """The refusal of whoever shows no good key."""
    error = Unauthenticated(
        "A valid API key is needed, in the Authorization header (Bearer) or as x-api-key."
    )
    error.headers["www-authenticate"] = "Bearer"
    return error
