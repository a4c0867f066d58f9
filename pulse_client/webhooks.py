"""Webhooks. What makes a secret is sent once: where no answer came, see with `webhooks` whether it was done."""

from collections.abc import Sequence

from pulse_client.calls import Calls, part
from pulse_client.vocabulary import WebhookFeed
from pulse_client.webhook_models import Delivery, DeliveryPage, MadeWebhook, Webhook, WebhookList, WebhookPage


class Webhooks(Calls):
    def webhooks(self) -> list[Webhook]:
        """The account's webhooks, the oldest first."""
        return self._get(WebhookList, "/api/webhooks").webhooks

    def add_webhook(
        self, url: str, feed: WebhookFeed = WebhookFeed.ORDERS, types: Sequence[str] | None = None
    ) -> MadeWebhook:
        """Have what happens from now on posted there: all of it, or events of these types. Keep the secret."""
        body = {"url": url, "feed": feed.value, "types": None if types is None else list(types)}
        return self._parse(MadeWebhook, self._change_without_key("POST", "/api/webhooks", body))

    def enable_webhook(self, webhook_id: str) -> Webhook:
        """Try a webhook again at once, from where it stopped."""
        return self._parse(Webhook, self._change("POST", f"{_path(webhook_id)}/enable"))

    def disable_webhook(self, webhook_id: str) -> Webhook:
        """Post nothing there until it is enabled again; repeating it is harmless."""
        return self._parse(Webhook, self._change("POST", f"{_path(webhook_id)}/disable"))

    def remove_webhook(self, webhook_id: str) -> None:
        """Post nothing there any more."""
        self._change("DELETE", _path(webhook_id))

    def roll_webhook_secret(self, webhook_id: str, overlap_seconds: int = 86_400) -> MadeWebhook:
        """Make a new secret; the one before signs too for so long."""
        body = {"overlap_seconds": overlap_seconds}
        return self._parse(MadeWebhook, self._change_without_key("POST", f"{_path(webhook_id)}/secret", body))

    def test_webhook(self, webhook_id: str) -> Delivery:
        """Have a test event posted, once; `deliveries` tell what came of it."""
        return self._parse(Delivery, self._change("POST", f"{_path(webhook_id)}/test"))

    def redeliver(self, webhook_id: str, event_id: int) -> Delivery:
        """Have one event that was delivered posted once more; `deliveries` tell what came of it."""
        return self._parse(Delivery, self._change("POST", f"{_path(webhook_id)}/redeliver", {"event_id": event_id}))

    def deliveries(self, webhook_id: str, limit: int = 50, cursor: str | None = None) -> DeliveryPage:
        """Up to `limit` deliveries to a webhook, the latest first."""
        return self._get(DeliveryPage, f"{_path(webhook_id)}/deliveries", limit=limit, cursor=cursor)

    def all_webhooks(self, account_id: str | None = None, limit: int = 50, cursor: str | None = None) -> WebhookPage:
        """Up to `limit` webhooks of everybody or of one account, newest first; for admins."""
        return self._get(WebhookPage, "/api/admin/webhooks", account_id=account_id, limit=limit, cursor=cursor)


def _path(webhook_id: str) -> str:
    return f"/api/webhooks/{part(webhook_id)}"
