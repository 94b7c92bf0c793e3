"""What every service room stands on: settings, database, unit of work, events, problems, paging."""
