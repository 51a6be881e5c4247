"""What is usually written to take webhooks: `python -m tests.bench.rivals.ingest`, on PORT.

FastAPI on uvicorn, svix, and a send that waits for Kafka. It makes no promise about order, routing,
limits or what cannot be read.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, HTTPException, Request
from svix.webhooks import Webhook, WebhookVerificationError

from schema.kafka.topics import USER_EVENTS
from tests.factories import SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def build_app() -> FastAPI:
    """Return the application."""
    webhook = Webhook(SECRET)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AIOKafkaProducer(
            bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"], acks="all"
        ) as producer:
            app.state.producer = producer
            yield

    async def take(request: Request) -> None:
        body = await request.body()
        try:
            webhook.verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            raise HTTPException(400) from error
        await request.app.state.producer.send_and_wait(
            USER_EVENTS.name, body, key=json.loads(body)["data"]["id"].encode()
        )

    app = FastAPI(lifespan=lifespan)
    app.add_api_route("/webhooks/clerk", take, methods=["POST"], status_code=202)
    return app


if __name__ == "__main__":
    uvicorn.run(
        build_app(), host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False, loop="uvloop"
    )
