update mark set commits = commits + 1, token = ? returning commits, store
