"""The views that both services have for load balancers and monitoring."""

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api_contract.blueprint import Blueprint
from api_contract.shapes.health import HealthSchema


def add_health(blueprint: Blueprint) -> None:
    """`/health`, for anybody."""

    @blueprint.route("/health", methods=["GET"])
    @blueprint.doc(security=[])
    @blueprint.response(200, HealthSchema)
    def health() -> dict[str, str]:
        """Says that the process lives, without looking at anything else."""
        return {"status": "ok"}


def add_metrics(blueprint: Blueprint) -> None:
    """`/metrics`, for anybody."""

    @blueprint.route("/metrics", methods=["GET"])
    @blueprint.doc(security=[])
    @blueprint.response(200, {"type": "string"}, content_type="text/plain")
    def metrics() -> Response:
        """Counters and timings in the Prometheus text format."""
        return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)
