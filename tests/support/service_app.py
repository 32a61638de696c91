"""A FastAPI application as people write it, and a stage on which it is served behind the gateway."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ciranda.kernel import confine
from ciranda.service import supervisor
from ciranda.service.port import Instance, InstanceSpec, Mount
from support import service
from support.service import Stage

PREFIX = "/flights/prod/delays"

APP = """
import asyncio
import os
from contextlib import asynccontextmanager

import ciranda
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

state = {}


@asynccontextmanager
async def lifespan(app):
    state["delay"] = ciranda.load("delay")
    print("the lifespan begins")
    yield
    print("the lifespan ends")


app = FastAPI(title="delays", lifespan=lifespan)


class Flight(BaseModel):
    distance: float


@app.post("/predict")
async def predict(flights: list[Flight]) -> list[float]:
    return [one.distance * state["delay"] for one in flights]


@app.get("/about")
async def about(request: Request):
    return {
        "path": request.url.path,
        "root_path": request.scope["root_path"],
        "docs": str(request.url_for("about")),
        "scheme": request.url.scheme,
        "client": request.client.host if request.client else None,
        "id": request.headers["x-request-id"],
        "prefix": request.headers["x-forwarded-prefix"],
        "release": os.environ["CIRANDA_RELEASE"],
        "pid": os.getpid(),
    }


@app.get("/slow")
async def slow(seconds: float):
    await asyncio.sleep(seconds)
    return os.getpid()


@app.get("/events")
async def events(count: int, pause: float = 0.0, size: int = 1):
    async def said():
        for number in range(count):
            yield f"data: {number} {'x' * size}\\n\\n"
            await asyncio.sleep(pause)

    return StreamingResponse(said(), media_type="text/event-stream")


@app.put("/upload")
async def upload(request: Request, pause: float = 0.0):
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if pause:
            await asyncio.sleep(pause)
            pause = 0.0
    return {"size": size}


@app.websocket("/talk")
async def talk(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"{text} {socket.client.host} {socket.url.path}")


@app.get("/die")
async def die():
    os._exit(3)


@app.get("/raise")
async def wrong():
    raise ValueError("this is wrong")
"""


def spec(made: Stage, release: str = "r1", *, name: str = "shop:app", drain: float = 5.0, **more: str) -> InstanceSpec:
    """An application of the stage's tree."""
    tree = made.root / "tree"
    (tree / "delay").write_text("2.5")
    variables = {
        "CIRANDA_RELEASE": release,
        "CIRANDA_SERVICE": "delays",
        "CIRANDA_ENVIRONMENT": "prod",
        "CIRANDA_BASE_PATH": PREFIX,
        "CIRANDA_ASSET_DELAY": str(tree / "delay"),
        "CIRANDA_CODEC_DELAY": "json",
    }
    ours = Path(supervisor.__file__).parents[2]
    places = {tree, Path(sys.base_prefix), Path(sys.prefix), ours}
    return replace(
        made.spec(release, form="command"),
        form="app",
        argv=(sys.executable, "-I", "-m", "ciranda.runtime.asgi", name, f"{drain:g}"),
        variables=variables | more,
        drain=drain,
        mounts=tuple(Mount(path) for path in sorted(places)) if confine.available() else (),
    )


@contextmanager
def served(
    root: Path, *, app: str = APP, drain: float = 5.0
) -> Iterator[tuple[Stage, supervisor.Supervisor, Instance]]:
    """A stage with one healthy instance of the application that is routed."""
    with service.stage(root) as made, service.supervising(made) as watcher:
        (root / "tree" / "shop.py").write_text(app)
        instances = service.healthy(watcher, watcher.start(spec(made, drain=drain)))
        watcher.route("flights", "prod", [service.route(instances)])
        yield made, watcher, next(iter(instances.values()))
