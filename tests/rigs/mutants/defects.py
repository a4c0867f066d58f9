"""All deliberate defects."""

from tests.rigs.mutants.admission import ADMISSION
from tests.rigs.mutants.amendments import AMENDMENTS
from tests.rigs.mutants.answers import ANSWERS
from tests.rigs.mutants.api import API
from tests.rigs.mutants.archive import ARCHIVE
from tests.rigs.mutants.batches import BATCHES
from tests.rigs.mutants.broker_accounts import BROKER_ACCOUNTS
from tests.rigs.mutants.earlier_attempts import EARLIER_ATTEMPTS
from tests.rigs.mutants.evidence import EVIDENCE
from tests.rigs.mutants.exchange import EXCHANGE
from tests.rigs.mutants.fairness import FAIRNESS
from tests.rigs.mutants.halts import OF_HALTS
from tests.rigs.mutants.holds import OF_HOLDS
from tests.rigs.mutants.idle import IDLE
from tests.rigs.mutants.instruments import INSTRUMENTS
from tests.rigs.mutants.keys import KEYS
from tests.rigs.mutants.limits import LIMITS
from tests.rigs.mutants.logins import LOGINS
from tests.rigs.mutants.markets import MARKETS
from tests.rigs.mutants.money import MONEY
from tests.rigs.mutants.operators import DAYS_AND_OPERATORS
from tests.rigs.mutants.port import PORT
from tests.rigs.mutants.protocol import PROTOCOL
from tests.rigs.mutants.recovery import RECOVERY
from tests.rigs.mutants.second_factor import SECOND_FACTOR
from tests.rigs.mutants.tracking import TRACKING
from tests.rigs.mutants.webhooks import WEBHOOKS

DEFECTS = (
    *PROTOCOL,
    *BATCHES,
    *EVIDENCE,
    *RECOVERY,
    *ARCHIVE,
    *ANSWERS,
    *PORT,
    *EARLIER_ATTEMPTS,
    *DAYS_AND_OPERATORS,
    *TRACKING,
    *AMENDMENTS,
    *ADMISSION,
    *IDLE,
    *FAIRNESS,
    *MARKETS,
    *INSTRUMENTS,
    *OF_HOLDS,
    *MONEY,
    *LIMITS,
    *OF_HALTS,
    *BROKER_ACCOUNTS,
    *WEBHOOKS,
    *API,
    *SECOND_FACTOR,
    *KEYS,
    *EXCHANGE,
    *LOGINS,
)
