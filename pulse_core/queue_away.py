"""How it shows that the queue is away. Loads no code of the tables, which Flower does without."""

from amqp.exceptions import AMQPError
from kombu.exceptions import BatchPublishError, OperationalError
from redis.exceptions import RedisError

UNREACHABLE = (OperationalError, BatchPublishError, RedisError, AMQPError, OSError)
# One trouble, in whatever words a client tells of it.
AWAY = "the queue is away"
