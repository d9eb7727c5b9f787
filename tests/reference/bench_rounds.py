"""Rounds of the reference's simulator: many sites, a small model, federated averaging.

    python tests/reference/bench_rounds.py SITES ROUNDS THREADS FOLDER

The simulator's sites take turns in THREADS processes. Each adds to an array of 3 by 3 and does nothing else. Prints one
JSON object: the seconds from the beginning of each round but the first to the beginning of the next, or to the end.
Sites that have a process each stay; with fewer processes than sites each turn of a site takes seconds.
"""

import datetime
import json
import os
import re
import sys

from nvflare.private.fed.app.simulator.simulator_runner import SimulatorRunner

WORKFLOW = "nvflare.app_common.workflows.scatter_and_gather.ScatterAndGather"
AVERAGE = "nvflare.app_common.aggregators.intime_accumulate_model_aggregator.InTimeAccumulateWeightedAggregator"
WHOLE = "nvflare.app_common.shareablegenerators.full_model_shareable_generator.FullModelShareableGenerator"


def part(name, path, **args):
    return {"id": name, "path": path, "args": args}


def write(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(value, file)


def job(folder, sites, rounds):
    workflow = part(
        "rounds",
        WORKFLOW,
        min_clients=sites,
        num_rounds=rounds,
        start_round=0,
        wait_time_after_min_received=0,
        aggregator_id="average",
        persistor_id="model",
        shareable_generator_id="whole",
        train_task_name="train",
        train_timeout=0,
    )
    components = [
        part("model", "nvflare.app_common.np.np_model_persistor.NPModelPersistor"),
        part("whole", WHOLE),
        part("average", AVERAGE, expected_data_kind="WEIGHTS"),
    ]
    trainer = {"path": "nvflare.app_common.np.np_trainer.NPTrainer", "args": {"sleep_time": 0}}
    write(f"{folder}/meta.json", {"name": "rounds", "min_clients": sites, "deploy_map": {"app": ["@ALL"]}})
    config = {"format_version": 2, "workflows": [workflow], "components": components}
    write(f"{folder}/app/config/config_fed_server.json", config)
    executors = [{"tasks": ["train"], "executor": trainer}]
    write(f"{folder}/app/config/config_fed_client.json", {"format_version": 2, "executors": executors, "components": []})


def main():
    sites, rounds, threads = (int(argument) for argument in sys.argv[1:4])
    folder = sys.argv[4]
    result = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job(f"{folder}/job", sites, rounds)
    runner = SimulatorRunner(f"{folder}/job", f"{folder}/workspace", n_clients=sites, threads=threads, max_clients=sites)
    code = runner.run()
    moments = []
    with open(f"{folder}/workspace/server/log.txt") as log:
        for line in log:
            if re.search(r"Round \d+ started|Finished ScatterAndGather", line):
                moments.append(datetime.datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp())
    # The first round waits for the last site.
    seconds = [later - earlier for earlier, later in zip(moments[1:], moments[2:])]
    print(json.dumps({"code": code, "seconds": seconds}), file=result, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
