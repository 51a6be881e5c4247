"""x"""
from __future__ import annotations
import asyncpg, ssl, time
from schema.ops.settings import KafkaSettings
from schema.kafka.connections import connection_arguments
from deploy.topics import connected_admin
from deploy.migrate import migrate

async def test_try(secured, monkeypatch):
    t=time.monotonic()
    await migrate(secured.database_url())
    print("migrated", time.monotonic()-t)
    for variables in (secured.kafka_variables(), secured.kafka_variables(KAFKA_SASL_MECHANISM="PLAIN"),
        secured.kafka_variables("MUTUAL", KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_CERTFILE=str(secured.client.file), KAFKA_SSL_KEYFILE=str(secured.client.key_file)),
        secured.kafka_variables("EXPIRED"),
        secured.kafka_variables("MUTUAL", KAFKA_SECURITY_PROTOCOL="SSL"),
        secured.kafka_variables(KAFKA_SSL_CAFILE=str(secured.stranger.file)),
        secured.kafka_variables(KAFKA_BOOTSTRAP_SERVERS=secured.kafka.servers("SASL_SSL", host="127.0.0.1")),
        secured.kafka_variables(KAFKA_SASL_PASSWORD="wrong"),
        secured.kafka_variables(KAFKA_SASL_PASSWORD="wrong", KAFKA_SASL_MECHANISM="PLAIN"),
        secured.kafka_variables(KAFKA_BOOTSTRAP_SERVERS=secured.kafka.bootstrap_servers),
        ):
        for n in list(variables): monkeypatch.setenv(n, variables[n])
        for n in ("KAFKA_SSL_CERTFILE","KAFKA_SSL_KEYFILE","KAFKA_SASL_MECHANISM"):
            if n not in variables: monkeypatch.delenv(n, raising=False)
        t=time.monotonic()
        a=connection_arguments(KafkaSettings())
        try:
            async with connected_admin(a) as admin:
                print("OK", len(await admin.list_topics()))
        except Exception as e:
            print("NO", type(e), e, a["ssl_context"].failure)
        print(time.monotonic()-t)
    for url in (secured.database_url(authority=secured.stranger), secured.database_url(host="127.0.0.1"), secured.postgres.url, secured.database_url().replace("clerkwork:","clerkwork:x"),
       secured.postgres.secret_url+"?sslmode=disable"):
        try:
            c=await asyncpg.connect(url); print("OK", await c.fetchval("select ssl from pg_stat_ssl where pid=pg_backend_pid()")); await c.close()
        except Exception as e:
            print("NO", type(e), e)
