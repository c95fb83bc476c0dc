"""HTTP requests of a reactor: sent by libcurl, many at once, what comes back made into results and failures."""
