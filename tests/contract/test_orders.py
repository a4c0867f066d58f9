import requests

from tests.contract.client import Account, Service, new_order


def test_an_order_is_accepted_and_can_be_read_back(service: Service, trader: Account) -> None:
    body = new_order(total_quantity=101)
    accepted = service.send("POST", service.orders, trader, json=body)
    assert accepted.status_code == (202 if service.name == "gapi" else 201)
    assert accepted.json()["order_unique_key"] == body["order_unique_key"]
    shown = service.send("GET", accepted.headers["Location"], trader).json()
    assert shown["order_id"] == accepted.json()["order_id"]
    split = body["split_config"] | {"until_close": False}
    assert {name: shown[name] for name in body} == body | {"split_config": split}
    assert (shown["status"], shown["account_name"]) == ("PENDING", trader.username)
    assert shown["exposure"] == {"filled": 0, "working": 0, "on_its_way": 0, "unknown": 0, "unsent": 101}


def test_a_user_logs_in_and_trades_with_the_token(gapi: Service, trader: Account) -> None:
    credentials = {"username": trader.username, "password": trader.password}
    login = gapi.send("POST", "/api/auth/login", json=credentials)
    assert login.status_code == 200
    assert login.json()["token_type"] == "Bearer"
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
    assert gapi.send("POST", "/api/orders", headers=headers, json=new_order()).status_code == 202


def test_randomize_is_true_unless_said_otherwise(service: Service, trader: Account) -> None:
    body = new_order()
    del body["split_config"]["randomize"]
    accepted = service.send("POST", service.orders, trader, json=body)
    assert service.send("GET", accepted.headers["Location"], trader).json()["split_config"]["randomize"] is True


def test_an_unsplit_order_has_no_slices_yet(service: Service, trader: Account) -> None:
    location = service.place(trader).headers["Location"]
    assert service.send("GET", f"{location}/slices", trader).json()["slices"] == []


def test_orders_are_listed_newest_first_a_page_at_a_time(service: Service, trader: Account) -> None:
    placed = [service.place(trader).json()["order_id"] for _ in range(5)]
    seen: list[str] = []
    query = "limit=2"
    while query:
        page = service.send("GET", f"{service.orders}?{query}", trader).json()
        seen += [order["order_id"] for order in page["orders"]]
        query = f"limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == placed[::-1]


def test_a_listing_is_narrowed_by_each_filter(service: Service, trader: Account) -> None:
    terms = {"instrument": "BSE:TCS", "side": "SELL", "client_note": "100_% of leg 2"}
    tcs = service.place(trader, **terms).json()["order_id"]
    other = service.place(trader).json()["order_id"]
    created_at = service.send("GET", f"{service.orders}/{other}", trader).json()["created_at"]

    def listed(query: str) -> list[str]:
        return [one["order_id"] for one in service.send("GET", f"{service.orders}?{query}", trader).json()["orders"]]

    assert listed("instrument=BSE:TCS") == [tcs]
    assert listed("side=SELL") == [tcs]
    assert listed(f"created_from={created_at}") == [other]
    assert listed(f"created_to={created_at}") == [tcs]
    assert listed("status=PENDING") == [other, tcs]
    for text in ("tcs", "100_%25 of LEG", tcs[4:].lower()):
        assert listed(f"search={text}") == [tcs]
    assert listed("search=1%25") == []
    assert listed("status=DONE") == []


def test_cancelling_is_harmless_when_repeated(service: Service, trader: Account) -> None:
    location = service.place(trader).headers["Location"]
    for _ in range(2):
        answer = service.send("DELETE", location, trader)
        assert (answer.status_code, answer.json()["status"]) == (202, "CANCELLED")


def test_nothing_of_another_account_is_shown_or_cancelled(
    service: Service, trader: Account, new_account: "type[Account]"
) -> None:
    stranger = new_account()
    location = service.place(trader).headers["Location"]
    for method, path in (("GET", location), ("GET", f"{location}/slices"), ("DELETE", location)):
        assert service.send(method, path, stranger).status_code == 404
    assert service.send("GET", service.orders, stranger).json()["orders"] == []
    assert service.send("GET", location, trader).json()["status"] == "PENDING"


def test_two_accounts_may_use_the_same_key(service: Service, trader: Account, new_account: "type[Account]") -> None:
    body = new_order()
    first = service.send("POST", service.orders, trader, json=body).json()["order_id"]
    second = service.send("POST", service.orders, new_account(), json=body).json()["order_id"]
    assert first != second


def test_head_and_options_work_like_anywhere(service: Service, trader: Account) -> None:
    location = service.place(trader).headers["Location"]
    head = service.send("HEAD", location, trader)
    assert (head.status_code, head.content) == (200, b"")
    options = requests.options(service.url + location, timeout=10)
    assert options.status_code == 200
    assert {"GET", "PATCH", "DELETE", "HEAD", "OPTIONS"} == set(options.headers["Allow"].split(", "))
