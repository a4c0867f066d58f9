"""What is particular to Postgres: proxies, forks, prepared statements, its clock and its lineage."""
