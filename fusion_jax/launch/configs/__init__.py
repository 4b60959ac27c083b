"""Named configurations, one file each."""
