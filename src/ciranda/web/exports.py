"""`/api/v1/prometheus/targets`: HTTP service discovery, as Prometheus asks for it."""

import json
from dataclasses import dataclass

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from ciranda.app.exports import scraping
from ciranda.web import authority
from ciranda.web.api import AnyRequest, Api


@dataclass(frozen=True, slots=True)
class Exports:
    """The handlers, beside those of the API."""

    api: Api

    def handlers(self) -> list[HTTPRouteHandler]:
        """Every route of exports."""

        @get(scraping.TARGETS)
        async def targets(request: AnyRequest) -> Response[bytes]:
            client = request.scope.get("client")
            headers = authority.headers_of(request.scope["headers"])
            if not authority.direct(client[0] if client else "", headers):
                await self.api.admit(request, "viewer")
            # the name by which whoever asks has reached this server: it was checked to be this machine's
            found = scraping.targets(headers[b"host"].decode("latin-1"))
            return Response(
                json.dumps(found).encode(), media_type="application/json", headers={"cache-control": "no-store"}
            )

        return [targets]
