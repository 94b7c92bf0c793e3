"""Actions: the catalogue as versioned data, the gate before each, and which one is worth it."""
