"""A worker process: does the job on its command line, then answers on stdout in lines of JSON.

A contender of a race says how it started and warms up, then trains once per ``go`` on stdin, and
leaves on ``quit``. Whatever else the frameworks print goes to stderr.
"""

import importlib
import json
import os
import resource
import sys

from scripts.benchmark.contenders import CONTENDERS
from scripts.benchmark.exchange import Job
from scripts.benchmark.workers import Contestant

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(**message: object) -> None:
    """Sends one line to the driver."""
    print(json.dumps(message), file=answers, flush=True)


def race(contestant: Contestant, created: float) -> None:
    """Start, warm up, then train on command."""
    start = contestant.start()
    answer(first_step_seconds=start.first_step - created, compile_seconds=start.compile_seconds)
    answer(histories=contestant.round().histories)
    for line in sys.stdin:
        if line.strip() != "go":
            break
        training, total, _ = contestant.round()
        answer(training=training, total=total)
    answer(peak_bytes=peak_bytes())


def peak_bytes() -> int:
    """The most memory this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """Does the job."""
    job = Job(**json.loads(sys.argv[1]))
    if job.contender in CONTENDERS:
        module = importlib.import_module(f"{__package__}.{CONTENDERS[job.contender].module}")
        contestant = module.make(job)
        if job.load_workload().until_fitted:
            answer(histories=contestant.round().histories, peak_bytes=peak_bytes())
        else:
            race(contestant, job.created)
    else:
        module = importlib.import_module(f"{__package__}.{job.contender.replace('-', '_')}")
        answer(**module.run(job))


if __name__ == "__main__":
    main()
