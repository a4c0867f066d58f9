"""When exchanges trade: dated calendars, what operators say of single days, and the windows that fit."""
