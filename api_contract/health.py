"""The views that both services have for load balancers and monitoring."""

from flask import Response

from api_contract.blueprint import Blueprint
from api_contract.metrics import CONTENT_TYPE, Collect, Process, exposition
from api_contract.shapes.health import HealthSchema


def add_health(blueprint: Blueprint) -> None:
    """`/health`, for anybody."""

    @blueprint.route("/health", methods=["GET"])
    @blueprint.doc(security=[])
    @blueprint.response(200, HealthSchema)
    def health() -> dict[str, str]:
        """Says that the process lives, without looking at anything else."""
        return {"status": "ok"}


def add_metrics(blueprint: Blueprint, process: Process, *looked_up: Collect) -> None:
    """`/metrics`, for anybody: what was counted, and what is `looked_up` for each answer."""

    @blueprint.route("/metrics", methods=["GET"])
    @blueprint.doc(security=[])
    @blueprint.response(200, {"type": "string"}, content_type="text/plain")
    def metrics() -> Response:
        """Counters and timings in the Prometheus text format."""
        return Response(exposition(process, looked_up), content_type=CONTENT_TYPE)
