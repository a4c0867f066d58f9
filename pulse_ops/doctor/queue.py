"""Whether Redis or RabbitMQ keeps the wake-ups, and whether they are worked off."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import redis

from pulse_core.queue_away import UNREACHABLE
from pulse_ops.doctor.findings import Finding, Trouble, fine, wrong
from pulse_ops.stack.redis import client_for_one_question
from pulse_ops.stack.status import amqp_depths, queue_depths

MANY_MESSAGES = 1000
BETWEEN_TWO_LOOKS = 1.0
NEARLY_FULL = 0.9


def redis_keeps_messages(redis_url: str) -> Iterator[Finding]:
    """It must answer, drop nothing, and survive its restart."""
    with closing(client_for_one_question(redis_url)) as client:
        try:
            memory, persistence = client.info("memory"), client.info("persistence")
        except redis.RedisError as error:
            yield wrong("redis", Trouble.REDIS_AWAY, str(error))
            return
    if fault := _fault(memory, persistence):
        yield wrong("redis", Trouble.REDIS_LOSES_MESSAGES, fault)
    else:
        yield fine("redis", "answers, keeps its messages")


def rabbitmq_answers(queue_url: str) -> Iterator[Finding]:
    """It keeps messages by itself: they and their queues are durable."""
    try:
        amqp_depths(queue_url)
    except UNREACHABLE as error:
        yield wrong("rabbitmq", Trouble.QUEUE_AWAY, str(error))
    else:
        yield fine("rabbitmq", "answers")


def is_worked_off(queue_url: str, prefix: str) -> Iterator[Finding]:
    """Many messages are no trouble while they become fewer."""
    first = queue_depths(queue_url, prefix)
    if any((depth or 0) >= MANY_MESSAGES for depth in first.values()):
        time.sleep(BETWEEN_TWO_LOOKS)
    second = queue_depths(queue_url, prefix)
    for queue, depth in second.items():
        before = first[queue]
        if depth is None or before is None:
            continue
        if depth >= max(MANY_MESSAGES, before):
            yield wrong(f"queue {prefix}{queue}", Trouble.QUEUE_GROWING, f"{depth} wait, and they do not become fewer")
        else:
            yield fine(f"queue {prefix}{queue}", f"{depth} wait")


def _fault(memory: dict[str, Any], persistence: dict[str, Any]) -> str:
    policy, most = str(memory.get("maxmemory_policy")), int(memory.get("maxmemory") or 0)
    if policy != "noeviction":
        return f"it drops them when its memory is full ({policy})"
    if not persistence.get("aof_enabled"):
        return "it forgets them when it restarts"
    if persistence.get("aof_last_write_status") == "err":
        return "it could not write its file"
    if most and int(memory.get("used_memory") or 0) > NEARLY_FULL * most:
        return f"its memory ({most // 2**20} MB) is nearly full"
    return ""
