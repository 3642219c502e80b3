-- A busted helper: the collector works at (nearly) every allocation, so that
-- whatever the core forgot to anchor is gone by the time it is used.
collectgarbage("incremental", 1, 1000, 1)
