"""Secrets out of files: `NAME_FILE` names the file that holds what `NAME` would be set to.

A line's end after the secret is no part of it. Everything else is: a file that is missing, empty or no text is refused.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from api_contract.log import get_logger
from api_contract.variables import names_of, upper

SUFFIX = "_FILE"
MOST_BYTES = 64 * 1024

log = get_logger(__name__)


class UnreadableSecret(ValueError):
    """What is wrong with the file that a variable names."""


class WithSecretFiles(BaseSettings):
    """Settings whose secrets may be in files, too."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _Files(settings_cls)


class _Files(PydanticBaseSettingsSource):
    def get_field_value(self, _field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        names = names_of(field_name)
        return secret_of(*names), names[0], False

    def __call__(self) -> dict[str, Any]:
        """Raises ValidationError, as wrong values do, which names the variable of each file that is refused."""
        found: dict[str, Any] = {}
        faults: list[InitErrorDetails] = []
        for field_name in secret_fields(self.settings_cls):
            name = names_of(field_name)[0]
            has_alias = self.settings_cls.model_fields[field_name].validation_alias is not None
            try:
                # Where the variable itself is set, its own source tells.
                if (value := _in_file(name, os.environ, is_set=_is_set(field_name))) is not None:
                    found[name if has_alias else field_name] = value
            except UnreadableSecret as refused:
                reason = PydanticCustomError("value_error", "{reason}", {"reason": str(refused)})
                faults.append(InitErrorDetails(type=reason, loc=(name + SUFFIX,), input=None))
        if faults:
            raise ValidationError.from_exception_data(self.settings_cls.__name__, faults, hide_input=True)
        return found


def secret_fields(settings: type[BaseSettings]) -> Iterator[str]:
    """The settings that hold secrets."""
    return (name for name, field in settings.model_fields.items() if _is_secret(field.annotation))


def secret_of(*names: str, environment: Mapping[str, str] | None = None) -> str | None:
    """What the first of these variables that is set says, else the file that `NAME_FILE` names; None: neither.

    Raises UnreadableSecret for a file that holds no secret, and where both are set.
    """
    found = upper(os.environ if environment is None else environment)
    value = next((found[name] for name in names if found.get(name)), None)
    stated = _in_file(names[0], found, is_set=value is not None)
    return value if stated is None else stated


def set_variables(values: Mapping[str, str]) -> None:
    """Give this process these variables in place of the files, or the old names, that had been named for them."""
    for name in values:
        for other in (name + SUFFIX, *names_of(name)[1:]):
            os.environ.pop(other, None)
    os.environ.update(values)


def warn_of_open_files(fields: Iterator[str]) -> None:
    """Log one line that names each of these settings whose file every user of this machine may read."""
    found = upper(os.environ)
    variables = [names_of(field)[0] + SUFFIX for field in fields]
    if is_open := [name for name in variables if name in found and _is_open(Path(found[name]))]:
        log.warning("secrets are in files that everybody may read", variables=is_open)


def _in_file(name: str, environment: Mapping[str, str], *, is_set: bool) -> str | None:
    path = upper(environment).get(name + SUFFIX)
    if not path:
        return None
    if is_set:
        raise UnreadableSecret(f"is set, and so is {name}: set one of them")
    return _read(Path(path))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UnreadableSecret(f"names {path}, which cannot be read ({error.strerror})") from None
    if len(content) > MOST_BYTES:
        raise UnreadableSecret(f"names {path}, which is longer than {MOST_BYTES} bytes")
    try:
        secret = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UnreadableSecret(f"names {path}, which is no text") from None
    if not secret.strip():
        raise UnreadableSecret(f"names {path}, which is empty")
    return secret


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _is_set(field_name: str) -> bool:
    found = upper(os.environ)
    return any(found.get(name) for name in names_of(field_name))


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))
