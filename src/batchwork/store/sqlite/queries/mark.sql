select store, commits from mark
