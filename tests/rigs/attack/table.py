"""The figures of an attack as a table, each beside the quiet one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.rigs.attack.honest import Seen, percentile

_COLUMNS = (
    "",
    "orders p50, p99 (ms)",
    "cancels p50, p99 (ms)",
    "p99 of orders, of cancels by the quiet ones",
    "logins",
    "refused",
    "answers to the flood",
)
WHAT = ("order", "cancel")


@dataclass(frozen=True)
class Attack:
    """What the honest trader saw in a quiet time and in the flood after it, and what the flood was answered."""

    name: str
    quiet: Seen
    seen: Seen
    answers: Mapping[int, int]


def table(attacks: Sequence[Attack]) -> str:
    """Markdown, each attack after its quiet time."""
    lines = [line for one in attacks for line in rows(one)]
    return "\n".join([f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|", *lines])


def rows(attack: Attack) -> list[str]:
    return [_row("quiet", attack.quiet, attack.quiet, {}), _row(attack.name, attack.seen, attack.quiet, attack.answers)]


def _row(name: str, seen: Seen, quiet: Seen, answers: Mapping[int, int]) -> str:
    both = [f"{_ms(seen, what, 0.5):.0f}, {_ms(seen, what, 0.99):.0f}" for what in WHAT]
    ratios = ", ".join(f"{_ms(seen, what, 0.99) / _ms(quiet, what, 0.99):.1f}" for what in WHAT)
    refused = "; ".join(sorted(set(seen.refused))[:3]) or "-"
    cells = [name, *both, ratios, _counts(seen.logins), refused, _counts(answers)]
    return f"| {' | '.join(cells)} |"


def _ms(seen: Seen, what: str, share: float) -> float:
    return 1000 * percentile(seen.seconds.get(what, ()), share)


def _counts(statuses: Mapping[int, int]) -> str:
    return ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items())) or "-"
