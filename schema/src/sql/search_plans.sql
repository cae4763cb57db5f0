-- For the rest of a transaction of searches. A plan that is kept for all searches takes every range for a short one, and
-- reads all of it. Of a day about which no statistics were gathered yet the planner thinks that few ids are within a range,
-- lists them all, and compares them with what the index of documents names: so entries of indexes are said to be dear.
SELECT
    set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('cpu_index_tuple_cost', '10', true),
    set_config('enable_seqscan', 'off', true)
