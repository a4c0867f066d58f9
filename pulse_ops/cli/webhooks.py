"""`pulse webhooks`: where events are posted, of every account."""

from pathlib import Path

import click

from pulse_core.clock import utcnow
from pulse_core.events import webhooks as service
from pulse_core.events.webhooks import WebhookReport
from pulse_core.identity import accounts
from pulse_core.owner import EveryAccount, OneAccount
from pulse_ops.cli import EXIT_CODES, Sentences, options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import instant, print_json, print_table, say

_FIELDS = (
    "account_id", "key_id", "url", "feed", "types", "status", "created_at", "verified_at", "disabled_at", "disabled_by",
    "failing_since", "failures", "last_error",
)  # fmt: skip


@click.group(cls=Sentences, epilog=EXIT_CODES)
def webhooks() -> None:
    """List, disable, enable and remove the webhooks of every account.

    Works on the database of DATABASE_URL, else on that of the running stack.
    """


@webhooks.command("list")
@click.option("--user", "username", help="Only the webhooks of this account.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--cursor", metavar="CURSOR", help="Continue after the page that gave this cursor.")
@options.as_json
@options.data_dir
def list_(username: str | None, limit: int, cursor: str | None, is_json: bool, data_dir: Path | None) -> None:
    """List the webhooks, newest first; never their secrets."""
    use_database(data_dir)
    names = {account.id: account.username for account in accounts.list_accounts()}
    owner = OneAccount(accounts.account_named(username).id) if username else EveryAccount()
    page = service.webhook_page(owner, limit, cursor)
    if is_json:
        found = [_fields(one) | {"username": names[one.account_id]} for one in page.webhooks]
        print_json({"webhooks": found, "next_cursor": page.next_cursor})
        return
    columns = ("Webhook", "Username", "Feed", "Status", "URL", ">Failures", "Last error", "Created")
    print_table(columns, (_row(one, names[one.account_id]) for one in page.webhooks))
    if page.next_cursor:
        say(f"There are more: --cursor {page.next_cursor}")


@webhooks.command()
@click.argument("webhook_id")
@options.data_dir
def disable(webhook_id: str, data_dir: Path | None) -> None:
    """Post nothing there until it is enabled here or by an admin: its own account cannot."""
    use_database(data_dir)
    service.disable_webhook(EveryAccount(), webhook_id, accounts.TERMINAL, utcnow())
    say(f"Nothing more is posted to {webhook_id}.")


@webhooks.command()
@click.argument("webhook_id")
@options.data_dir
def enable(webhook_id: str, data_dir: Path | None) -> None:
    """Post there again, from where it stopped."""
    use_database(data_dir)
    service.enable_webhook(EveryAccount(), webhook_id, accounts.TERMINAL, utcnow())
    say(f"{webhook_id} is enabled.")


@webhooks.command()
@click.argument("webhook_id")
@options.data_dir
def remove(webhook_id: str, data_dir: Path | None) -> None:
    """Remove a webhook for good."""
    use_database(data_dir)
    service.remove_webhook(EveryAccount(), webhook_id, accounts.TERMINAL, utcnow())
    say(f"{webhook_id} is removed.")


def _row(one: WebhookReport, username: str) -> tuple[object, ...]:
    created = instant(one.created_at)
    return one.id, username, one.feed.value, one.status.value, one.url, one.failures, one.last_error, created


def _fields(one: WebhookReport) -> dict[str, object]:
    return {"webhook_id": one.id} | {name: getattr(one, name) for name in _FIELDS}
