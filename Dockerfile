# Two images, by target; docker-compose.yml names the one and the command of each process.
#   services   what serves: gapi, pulse, the workers, beat, Flower
#   workshop   the same and what people run around it: the command `pulse`, the paper exchange
FROM python:3.11-slim-bookworm AS source
WORKDIR /src
RUN python -m venv /opt/pulse
COPY pyproject.toml setup.cfg constraints.txt README.md celeryconfig.py ./
COPY api_contract api_contract
COPY gapi_app gapi_app
COPY pulse_app pulse_app
COPY pulse_core pulse_core
COPY pulse_tasks pulse_tasks
COPY deploy/lighten ./

FROM source AS services-build
# Without its entry points: `pulse` and the plug-in of `celery` are the workshop's, and would be broken commands here.
RUN sed -i '/^\[options.entry_points\]$/,/^$/d' setup.cfg
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/pulse/bin/pip install --disable-pip-version-check --no-compile -c constraints.txt .
RUN ./lighten gapi_app pulse_app pulse_tasks granian.cli \
    celery.bin.beat celery.bin.worker celery.concurrency.thread flower.command kombu.transport.redis

FROM source AS workshop-build
COPY pulse_client pulse_client
COPY pulse_ops pulse_ops
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/pulse/bin/pip install --disable-pip-version-check --no-compile -c constraints.txt '.[ops]'
RUN ./lighten pulse_ops.cli pulse_ops.paper_exchange.__main__ pulse_core.sweeps

# What runs can install nothing, and build nothing. One layer, so that what is removed takes no room.
FROM python:3.11-slim-bookworm AS trimmed
RUN python -m pip uninstall --yes setuptools wheel pip \
    && cd /usr/local/lib/python3.11 && rm -rf ensurepip idlelib lib2to3 tkinter turtledemo \
    && groupadd --gid 10001 pulse \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin pulse \
    && install -d -o pulse -g pulse /var/lib/pulse /archive

FROM scratch AS base
COPY --from=trimmed / /
ENV PATH=/opt/pulse/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/pulse
USER 10001:10001

FROM base AS workshop
COPY --from=workshop-build /opt/pulse /opt/pulse
CMD ["pulse", "--help"]

# The last one is built where no target is named.
FROM base AS services
COPY --from=services-build /opt/pulse /opt/pulse
CMD ["celery", "-A", "pulse_tasks", "--help"]
