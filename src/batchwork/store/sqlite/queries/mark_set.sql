update mark set commits = commits + 1, token = ? returning store, commits
