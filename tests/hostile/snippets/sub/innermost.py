import sys

bad_p14 = 14 14
