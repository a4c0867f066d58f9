"""What a page shows and what a service answers: each way in which they can differ is noticed."""

import pytest

from tests.rigs.guide.page import Answer
from tests.rigs.guide.shapes import Comparison

ID, OTHER_ID = "ord_01M83SKD9WDSW3C497FJ90J252", "ord_01M83SNW4V5B2X7Q3T0E8RZK6D"


def differences(language: str, shown: str, real: str) -> list[str]:
    return Comparison().differences(Answer(language, shown), real)


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ('{"status": "DONE"}', '{"status":"DONE"}'),
        ('{"at": "2026-11-23T08:50:43.644659Z"}', '{"at":"2027-01-01T00:00:00Z"}'),
        ('{"average_price": "2849.95"}', '{"average_price":"1.5"}'),
        ('{"event_id": 7}', '{"event_id":70}'),
        ('{"token": "rt_..."}', '{"token":"rt_x"}'),
        ('{"status": "DONE", "...": "..."}', '{"status":"DONE","result":"FILLED"}'),
        ('[{"a": 1}, "..."]', '[{"a":1},{"a":2}]'),
        (f'{{"order_id": "{ID}"}}', f'{{"order_id":"{OTHER_ID}"}}'),
    ],
)
def test_what_may_differ_may(shown: str, real: str) -> None:
    assert differences("json", shown, real) == []


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ('{"status": "DONE", "result": null}', '{"status":"DONE"}'),
        ('{"status": "DONE"}', '{"status":"DONE","result":null}'),
        ('{"status": "DONE"}', '{"status":"PAUSED"}'),
        ('{"average_price": "2849.95"}', '{"average_price":2849.95}'),
        ('{"filled": 20}', '{"filled":21}'),
        ('{"finished_at": null}', '{"finished_at":"2027-01-01T00:00:00Z"}'),
        ('{"event_id": 7}', '{"event_id":"7"}'),
        ('{"token": "rt_..."}', '{"token":"pk_x"}'),
        ('[{"a": 1}]', '[{"a":1},{"a":2}]'),
        ('[{"a": 1}, "..."]', "[]"),
        (f'["{ID}", "{ID}"]', f'["{ID}","{OTHER_ID}"]'),
        ("{}", "<html>"),
    ],
)
def test_what_must_not_differ_is_noticed(shown: str, real: str) -> None:
    assert len(differences("json", shown, real)) == 1


def test_a_status_a_header_and_a_body_are_compared() -> None:
    shown = 'HTTP/1.1 202 Accepted\nlocation: /api/orders/1\n\n{"a": 1}'
    assert differences("http", shown, 'HTTP/1.1 202 Accepted\r\nlocation: /api/orders/1\r\nx: y\r\n\r\n{"a":1}') == []
    assert len(differences("http", shown, "HTTP/1.1 200 OK\r\n\r\n")) == 3


def test_lines_are_found_in_their_order() -> None:
    output = "id: 17\n\nid: 18\nevent: slice.fill\ndata: {}\n"
    assert differences("text", "id: 1\nevent: slice.fill\ndata: ...", output) == []
    assert len(differences("text", "event: slice.fill\nid: 1", output)) == 1


def test_an_id_that_was_read_is_known_from_then_on() -> None:
    comparison = Comparison()
    assert comparison.differences(Answer("json", f'"{ID}"'), f'"{OTHER_ID}"') == []
    assert comparison.real(f"curl /api/orders/{ID}") == f"curl /api/orders/{OTHER_ID}"
    assert len(comparison.differences(Answer("json", f'"{ID}"'), f'"{ID}"')) == 1
