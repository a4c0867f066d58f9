"""One slow receiver or name server holds up nobody else; an account's share is bounded."""

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from pulse_core.clock import utcnow
from pulse_core.events import deliverer, outbound, resolving, webhooks
from pulse_core.events.deliverer import Deliverer
from pulse_core.events.outbound_rules import Unreachable
from pulse_core.events.resolving import NOT_IN_TIME, Resolver
from tests.support.deliveries import an_active_webhook, execute, loopback_allowed
from tests.support.factories import an_account, an_order
from tests.support.processes import wait_until
from tests.support.receiver import Receiver, running_receiver


@pytest.fixture(autouse=True)
def loopback_receivers(clean_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with loopback_allowed(monkeypatch):
        yield


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


class SlowNames:
    """A name server that answers for no name of `slow.example` until it is told to."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.asked: Counter[str] = Counter()

    def look_up(self, host: str) -> list[str]:
        self.asked[host] += 1
        if host.endswith("slow.example"):
            self.may_answer.wait(60)
        return ["127.0.0.1"]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowNames]:
    names = SlowNames()
    monkeypatch.setattr(resolving, "look_up", names.look_up)
    yield names
    names.may_answer.set()


@pytest.fixture
def running_deliverer(names: SlowNames) -> Iterator[Deliverer]:
    """Delivers for as long as the test runs, as the sweep has it do."""
    running, ended = Deliverer(), threading.Event()

    def keep_on() -> None:
        while not ended.is_set():
            running.run()
            ended.wait(0.05)

    thread = threading.Thread(target=keep_on)
    thread.start()
    yield running
    names.may_answer.set()
    ended.set()
    execute("UPDATE webhooks SET disabled_at = now()")
    thread.join(timeout=20)


def with_name(receiver: Receiver, name: str) -> str:
    return receiver.url.replace("127.0.0.1", name)


@pytest.mark.usefixtures("running_deliverer")
def test_names_that_nobody_answers_for_hold_up_no_webhook_that_works_and_no_new_one(
    receiver: Receiver, names: SlowNames
) -> None:
    honest = an_account()
    made = an_account_with_webhook_under_way(honest, receiver)
    for account in [an_account() for _ in range(8)]:
        for number in range(3):
            name = f"{account[-8:].lower()}-{number}.slow.example"
            webhooks.add_webhook(account, with_name(receiver, name), utcnow())
    wait_until(lambda: len(names.asked) >= 8, what="the slow names")

    an_order(account_id=honest)
    wait_until(lambda: receiver.event_ids() == [1], what="the event of the one who is prompt")
    assert not names.may_answer.is_set()
    with running_receiver() as other:
        webhooks.add_webhook(an_account(), with_name(other, "new.example"), utcnow())
        wait_until(lambda: other.tests == 1, what="the test of the one who is new")
    assert max(Counter(host.partition("-")[0] for host in names.asked).values()) <= 3
    assert webhooks.list_webhooks(honest)[0].id == made


def an_account_with_webhook_under_way(account: str, receiver: Receiver) -> str:
    made = webhooks.add_webhook(account, with_name(receiver, "prompt.example"), utcnow()).webhook.id
    wait_until(lambda: receiver.tests == 1, what="the test event")
    return made


@pytest.mark.usefixtures("running_deliverer")
def test_receivers_that_do_not_answer_hold_up_no_other(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever waits for one of them waits for longer than the test does.
    monkeypatch.setattr(outbound, "ANSWER_SECONDS", 60.0)
    honest = an_account()
    an_account_with_webhook_under_way(honest, receiver)
    with running_receiver() as silent:
        silent.may_answer.clear()
        for account in [an_account() for _ in range(8)]:
            for _ in range(2):
                webhooks.add_webhook(account, silent.url, utcnow())
        wait_until(lambda: len(silent.deliveries) >= deliverer.AT_ONCE, what="all places of the doubtful to be taken")
        an_order(account_id=honest)
        wait_until(lambda: receiver.event_ids() == [1], what="the event of the one who is prompt")
        silent.may_answer.set()


def test_one_that_became_slow_is_doubtful_until_it_is_prompt_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, running = an_account(), Deliverer()
    made = an_active_webhook(account, receiver).webhook.id
    for most, slow in ((0.0, {made}), (60.0, set())):
        monkeypatch.setattr(deliverer, "PROMPT_SECONDS", most)
        an_order(account_id=account)
        assert running.run() == 1
        assert set(running._slow) == slow


def test_a_name_is_waited_for_so_long_and_looked_up_so_often_at_once(names: SlowNames) -> None:
    resolver = Resolver(3, 2)
    for number in range(4):
        with pytest.raises(Unreachable, match=NOT_IN_TIME):
            resolver.addresses(f"{number}.slow.example", "acc_slow", 0.02)
    assert (resolver.under_way(), len(names.asked)) == (2, 2)

    assert resolver.addresses("good.example", "acc_good", 5) == ["127.0.0.1"]
    with pytest.raises(Unreachable):
        resolver.addresses("5.slow.example", "acc_other", 0.02)
    with pytest.raises(Unreachable):
        resolver.addresses("good.example", "acc_good", 0.02)
    names.may_answer.set()
    wait_until(lambda: resolver.under_way() == 0)
    assert resolver.addresses("6.slow.example", "acc_slow", 5) == ["127.0.0.1"]


def test_a_name_without_an_address_and_one_of_this_network_read_alike() -> None:
    def look_up(_host: str) -> list[str]:
        raise OSError

    with pytest.raises(Unreachable, match="no public address"):
        Resolver(1, 1, look_up).addresses("nowhere.example", "acc_1")
