"""What every key must be: long, random, and of one purpose."""

from collections.abc import Mapping
from itertools import combinations

from pydantic import SecretStr

KEY_BYTES = 32
_KEY_VARIETY = 8
_PLACEHOLDERS = ("changeme", "change-me", "change_me", "placeholder", "your-secret", "your_secret", "example")

# These hold several keys while one is changed.
_OF_SEVERAL = frozenset({"PULSE_CURSOR_KEY", "PULSE_WEBHOOK_KEY", "PULSE_TOTP_KEY"})

# What is said after the faults, where one of them is a key's.
REMEDY = "`pulse keys make` prints new keys, and docs/deployment.md says under Keys which process needs which"
FORMER_KEY = "PULSE_SERVICE_TOKEN_KEY"


def strong(key: SecretStr) -> SecretStr:
    """The key itself. Raises ValueError for one that somebody could guess."""
    strong_text(key.get_secret_value())
    return key


def strong_text(text: str) -> str:
    """The same of a key that is one of several in a variable."""
    if len(text.encode()) < KEY_BYTES:
        raise ValueError(f"must have at least {KEY_BYTES} bytes")
    if len(set(text)) < _KEY_VARIETY or any(word in text.lower() for word in _PLACEHOLDERS):
        raise ValueError("must be random, not a placeholder")
    return text


def keys_in(text: str) -> tuple[str, ...]:
    """The keys of a variable that holds one, or several with commas between them, the newest first."""
    return tuple(one.strip() for one in text.split(","))


def strong_keys(keys: SecretStr) -> SecretStr:
    """The same of such a variable. Raises ValueError for one that has a key that somebody could guess."""
    stated = keys_in(keys.get_secret_value())
    for one in stated:
        strong_text(one)
    if len(set(stated)) < len(stated):
        raise ValueError("has one key twice")
    return keys


def equal_keys(keys: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each key that another purpose has too, by the names of their variables."""
    held = {name: _keys_in(name, text) for name, text in keys.items()}
    twins = {other: one for one, other in combinations(keys, 2) if held[one] & held[other]}
    reason = "is refused: it is the same as {}, and each purpose needs a key of its own"
    return {one: reason.format(twin) for one, twin in twins.items()}


def _keys_in(variable: str, text: str) -> set[str]:
    if variable.endswith("_VAULT_KEYS"):
        return {one.partition(":")[2].strip() for one in text.split(",")}
    return set(keys_in(text)) if variable in _OF_SEVERAL else {text}


def is_of_a_key(variable: str) -> bool:
    """Whether a variable holds a key that `pulse keys make` prints."""
    return variable.startswith("PULSE_") and variable.endswith(("_KEY", "_PUBLIC_KEYS", "_VAULT_KEYS"))


def remedy(faulty: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """What to do about faults of keys; empty where there are none."""
    if not any(map(is_of_a_key, faulty)):
        return ""
    former = f" {FORMER_KEY} is set, but is not read any more." if environment.get(FORMER_KEY) else ""
    return f"{former} {REMEDY}."
