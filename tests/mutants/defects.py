"""All deliberate defects."""

from tests.mutants.answers import ANSWERS
from tests.mutants.earlier_attempts import EARLIER_ATTEMPTS
from tests.mutants.evidence import EVIDENCE
from tests.mutants.operators import DAYS_AND_OPERATORS
from tests.mutants.protocol import PROTOCOL

DEFECTS = (*PROTOCOL, *EVIDENCE, *ANSWERS, *EARLIER_ATTEMPTS, *DAYS_AND_OPERATORS)
