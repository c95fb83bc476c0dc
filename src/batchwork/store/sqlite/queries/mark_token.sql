select token from mark
