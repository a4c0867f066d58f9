"""The view that both services have for load balancers."""

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
