bad_p02 = 1 1
second = 2
third = 3
