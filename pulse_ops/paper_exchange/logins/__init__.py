"""Who may use the exchange's API: the standing token of a trial, and logins as at Kite."""
