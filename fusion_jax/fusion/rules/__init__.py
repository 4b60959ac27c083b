"""Rules of late fusion, one file each."""
