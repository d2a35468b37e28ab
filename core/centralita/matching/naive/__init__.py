"""The specification of the matching queue: everything recomputed, nothing kept that could go stale.

Read `rule.py` to learn who gets whom; test against it; never deploy it, for `match` looks at every waiting
contact and every agent each time. The compiled queue gives the same answers to the same history.

`book.py` is what is kept, `due.py` what time alone changes, `queue.py` the protocol over them; `digest.py`
is the hash by which two queues are told apart, `arguments.py` what is refused.
"""

from centralita.matching.naive.queue import NaiveMatchingQueue

__all__ = ["NaiveMatchingQueue"]
