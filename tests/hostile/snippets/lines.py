not in the page (
ok_p08 = 1
bad_p08 = 8 8
not in the page either (
