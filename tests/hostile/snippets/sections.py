import os

# --8<-- [start:good]
ok_p05 = 1
# --8<-- [end:good]

# --8<-- [start:bad]
def p06():
    x = 1
    return bad_p06 = 1
# --8<-- [end:bad]

# --8<-- [start:indented]
class P07:
    # --8<-- [start:inner]
    x = 1
    bad_p07 = 7 7
    # --8<-- [end:inner]
# --8<-- [end:indented]
