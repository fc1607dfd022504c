"""`leakwatch demo`: the guided run on the sandbox (`story`), and real mail of your own through capture (`mail`)."""
