"""Real Kafka and real PostgreSQL as child processes: no Docker, no system Java."""

from deploy.stack.errors import StackError
from deploy.stack.kafka import Kafka
from deploy.stack.postgres import Postgres
from deploy.stack.process import Process, Program
from deploy.stack.stack import Stack, running_stack

__all__ = ["Kafka", "Postgres", "Process", "Program", "Stack", "StackError", "running_stack"]
