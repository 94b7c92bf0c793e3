"""Everything about one client in one call, for a screen pop or a side panel."""
