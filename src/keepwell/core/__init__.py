"""Pure foundations: errors, words, days, money, files. Imports nothing of keepwell's."""
