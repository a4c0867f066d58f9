"""Webhooks are made, listed, enabled and removed by the account that owns them."""

from collections.abc import Callable

import pytest

from tests.contract.client import Account, Service, error_of

pytestmark = pytest.mark.usefixtures("clean_database")

PUBLIC = "https://93.184.216.34/events"


def path(service: Service) -> str:
    return "/api/webhooks" if service.name == "gapi" else "/internal/webhooks"


def test_a_webhook_is_made_listed_enabled_and_removed(service: Service, trader: Account) -> None:
    made = service.send("POST", path(service), trader, json={"url": PUBLIC})
    assert made.status_code == 201
    webhook = made.json()["webhook"]
    assert made.json()["secret"].startswith("whsec_")
    assert (webhook["url"], webhook["delivered_event_id"], webhook["disabled_at"]) == (PUBLIC, 0, None)

    listed = service.send("GET", path(service), trader).json()
    assert listed == {"webhooks": [webhook]}

    one = f"{path(service)}/{webhook['webhook_id']}"
    assert service.send("POST", f"{one}/enable", trader).json()["url"] == PUBLIC
    assert service.send("DELETE", one, trader).status_code == 204
    assert error_of(service.send("DELETE", one, trader))[:2] == (404, "NOT_FOUND")


def test_nobody_touches_the_webhook_of_another(
    service: Service, trader: Account, new_account: Callable[..., Account]
) -> None:
    made = service.send("POST", path(service), trader, json={"url": PUBLIC}).json()["webhook"]["webhook_id"]
    stranger = new_account()

    for method, which in (("DELETE", made), ("POST", f"{made}/enable"), ("DELETE", "whk_x"), ("DELETE", "%00")):
        assert error_of(service.send(method, f"{path(service)}/{which}", stranger))[:2] == (404, "NOT_FOUND")
    assert service.send("GET", path(service), stranger).json() == {"webhooks": []}


@pytest.mark.parametrize(
    "url", ["http://93.184.216.34/", "https://127.0.0.1/", "https://169.254.169.254/latest", "https://[::1]/", "x", ""]
)
def test_what_must_not_be_posted_to_is_refused(service: Service, trader: Account, url: str) -> None:
    refusal = service.send("POST", path(service), trader, json={"url": url})

    status, code, details = error_of(refusal)
    assert (status, code, details["field"]) == (400, "INVALID_REQUEST", "url")


def test_webhooks_need_a_token(service: Service) -> None:
    assert error_of(service.send("GET", path(service)))[:2] == (401, "UNAUTHORIZED")
