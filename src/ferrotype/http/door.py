"""Who may come in: the key is asked for before anything is said about paths."""

from collections.abc import Collection

from ferrotype.errors import WorkspaceNotAuthorised
from ferrotype.http.exchange import Exchange
from ferrotype.http.host import Hosts
from ferrotype.keyring import Keyring

HEALTH = frozenset({"/healthz", "/readyz"})
DESCRIPTION = "/openapi.json"
FILES = "/files/"
UPLOAD = ("/upload", "/upload/")


class Door:
    """Looks at host, key and workspace of each request.

    A workspace may be named by a header and by the host name; each must be one of ours, if
    they are listed.
    Health probes come by any name and without a key; files, read or uploaded, bring a
    signature in the key's place;
    the API's description is no secret.
    """

    def __init__(self, keyring: Keyring, hosts: Hosts, workspaces: Collection[str] = ()) -> None:
        self._keyring = keyring
        self._hosts = hosts
        self._workspaces = frozenset(one.encode() for one in workspaces)
        self._in_names = frozenset(one.lower() for one in workspaces)

    async def admit(self, exchange: Exchange) -> None:
        """Let a request in, naming its caller. Raises `InvalidParameter` or `Unauthorised`."""
        exchange.check_headers()
        if exchange.path in HEALTH:
            return
        scope = exchange.scope
        peer = scope["client"][0] if scope.get("client") else ""
        exchange.base, workspace = self._hosts.visit(peer, scope["scheme"], exchange.headers)
        if exchange.path.startswith(FILES) or exchange.path in (DESCRIPTION, *UPLOAD):
            return
        exchange.caller = await self._keyring.caller(_key(exchange.headers.get(b"authorization")))
        if self._workspaces:
            asked = exchange.headers.get(b"x-dashscope-workspace")
            if asked and asked not in self._workspaces:
                raise WorkspaceNotAuthorised()
            if workspace and workspace not in self._in_names:
                raise WorkspaceNotAuthorised()


def _key(authorization: bytes | None) -> str:
    """Return the key in "Bearer <key>". What has another form is taken for a key, and a wrong one.

    The scheme's name may be written in any case.
    """
    text = (authorization or b"").decode("latin-1").strip()
    scheme, _, key = text.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else text
