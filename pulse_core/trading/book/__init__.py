"""The broker's book of the day: read it, judge what it proves, take over what turns up in it."""
