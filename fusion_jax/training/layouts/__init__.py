"""Names and shapes that published weights have, one file a family."""
