"""What each fusion part can do, on worlds whose best scores are known."""
