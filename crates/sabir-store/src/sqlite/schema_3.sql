-- Version 3: what is due is read follower by follower, so that one for whom much waits hides no other.

CREATE INDEX batches_by_follower ON batches (follower_id, next_attempt_at);
