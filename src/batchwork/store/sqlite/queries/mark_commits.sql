select commits from mark
