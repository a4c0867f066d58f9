# One image for every process of Pulse; docker-compose.yml names the command of each.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/pulse
COPY pyproject.toml setup.cfg constraints.txt README.md celeryconfig.py ./
COPY api_contract api_contract
COPY gapi_app gapi_app
COPY pulse_app pulse_app
COPY pulse_client pulse_client
COPY pulse_core pulse_core
COPY pulse_ops pulse_ops
COPY pulse_tasks pulse_tasks
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/pulse/bin/pip install --disable-pip-version-check -c constraints.txt .

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 pulse \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin pulse \
    && install -d -o pulse -g pulse /var/lib/pulse
COPY --from=build /opt/pulse /opt/pulse
ENV PATH=/opt/pulse/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/pulse
USER 10001:10001
CMD ["pulse", "--help"]
