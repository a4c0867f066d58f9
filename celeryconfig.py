"""Celery on Redis, set so that losing, repeating or delaying any message changes nothing but timing.

Every choice and the fault behind it is described in docs/services/pulse-background/celery.md.
"""

import sys

from pulse_core.config import OF_WORKERS, VISIBILITY_TIMEOUT, queue_settings_to_start, settings_to_start
from pulse_core.tasks import DEFAULT_QUEUE, ROUTES

if "worker" in sys.argv:
    _settings = settings_to_start("celery", OF_WORKERS)
elif "flower" in sys.argv:
    # It is given the queue, and nothing else.
    _settings = queue_settings_to_start("celery")
else:
    _settings = settings_to_start("celery")

broker_url = _settings.queue_url.get_secret_value()
result_backend = None
task_ignore_result = True
# Else each thread looks for it in all that is installed when it runs its first task.
result_backend_thread_safe = True

task_default_queue = DEFAULT_QUEUE
task_routes = ROUTES
task_create_missing_queues = True

# A task may be delivered twice and that is harmless; not being delivered costs a sweep's delay.
task_acks_late = True
task_reject_on_worker_lost = True
task_acks_on_failure_or_timeout = True
task_publish_retry_policy = {"max_retries": 2, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}

if broker_url.startswith(("redis://", "rediss://")):
    # An eta message is at most one horizon old, so the visibility timeout stays far above it.
    broker_transport_options = {
        "visibility_timeout": VISIBILITY_TIMEOUT,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 10,
        "socket_timeout": 2,
        "socket_connect_timeout": 1,
        "socket_keepalive": True,
        "health_check_interval": 5,
        "max_connections": 64,
        "global_keyprefix": _settings.queue_prefix,
    }
    visibility_timeout = VISIBILITY_TIMEOUT

broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_connection_timeout = 1
worker_cancel_long_running_tasks_on_connection_loss = False
worker_prefetch_multiplier = 4
worker_soft_shutdown_timeout = 10
worker_enable_soft_shutdown_on_idle = True
worker_send_task_events = True
worker_hijack_root_logger = False
worker_redirect_stdouts = False

enable_utc = True
timezone = "UTC"

beat_scheduler = "pulse_tasks.beat:LookingScheduler"
beat_max_loop_interval = 1
