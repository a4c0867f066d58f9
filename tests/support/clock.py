"""A clock that moves when a test says so, or when somebody sleeps by it."""

from dataclasses import dataclass

EPOCH = 1_800_000_000.0


@dataclass
class ManualClock:
    passed: float = 1000.0

    def now(self) -> float:
        return EPOCH + self.passed

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
