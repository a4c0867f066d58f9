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

FROM source AS services-build
# Without its entry points: `pulse` and the plug-in of `celery` are the workshop's, and would be broken commands here.
RUN sed -i '/^\[options.entry_points\]$/,/^$/d' setup.cfg
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/pulse/bin/pip install --disable-pip-version-check -c constraints.txt .
RUN /opt/pulse/bin/python -m pip uninstall --yes setuptools pip

FROM source AS workshop-build
COPY pulse_client pulse_client
COPY pulse_ops pulse_ops
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/pulse/bin/pip install --disable-pip-version-check -c constraints.txt '.[ops]'
RUN /opt/pulse/bin/python -m pip uninstall --yes setuptools pip

# What runs can install nothing, and build nothing.
FROM python:3.11-slim-bookworm AS base
RUN python -m pip uninstall --yes setuptools wheel pip \
    && groupadd --gid 10001 pulse \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin pulse \
    && install -d -o pulse -g pulse /var/lib/pulse
ENV PATH=/opt/pulse/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/pulse
USER 10001:10001

FROM base AS workshop
COPY --from=workshop-build /opt/pulse /opt/pulse
CMD ["pulse", "--help"]

# The last one is built where no target is named.
FROM base AS services
COPY --from=services-build /opt/pulse /opt/pulse
CMD ["celery", "-A", "pulse_tasks", "--help"]
