"""The market of a world: calendar, regimes, instruments, prices, outages, news."""
