"""Feeds the reference's statistics pools with numbers and prints the tables that come out.

    python tests/reference/stats_tables.py > crates/cell-proto/testdata/stats.json
"""

import json
import random

from nvflare.fuel.f3.stats_pool import VALID_HIST_MODES, CounterPool, new_message_size_pool, new_time_pool


def main():
    rng = random.Random(5)
    categories = ["req:task:heart_beat", "reply:task:heart_beat", "fwd.req:aux:sync", "return:?:?"]
    result = {}
    for name, make, scale in (("seconds", new_time_pool, 3), ("megabytes", new_message_size_pool, 1500)):
        pool = make(name)
        values = [(rng.choice(categories), rng.random() ** 6 * scale) for _ in range(120)]
        values += [(categories[0], mark) for mark in pool.marks]
        for category, value in values:
            pool.record_value(category, value)
        tables = {mode: pool.get_table(mode) for mode in VALID_HIST_MODES + ["nonsense"]}
        result[name] = {"values": values, "tables": tables}
    pool = CounterPool("counters", "", ["sent", "unused"])
    counted = [(rng.choice(categories), rng.choice(["sent", "ok", "late", "timeout"])) for _ in range(60)]
    for category, counter in counted:
        pool.increment(category, counter)
    result["counters"] = {"counted": counted, "table": pool.get_table()}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
