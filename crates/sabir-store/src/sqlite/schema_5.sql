-- Version 5: a message pays for no index that only housekeeping reads. What grows at its end is in the order of time, and
-- batches are few and found by their follower.

DROP INDEX log_by_time;
DROP INDEX seen_by_time;
DROP INDEX answers_by_time;
DROP INDEX batches_by_time;
