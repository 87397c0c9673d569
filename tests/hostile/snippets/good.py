ok_p01 = 1
