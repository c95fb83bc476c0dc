select store from mark
