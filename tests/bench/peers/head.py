"""Fits softmax heads with PyTorch and scikit-learn for tests/bench/head.bench.ts.

    python head.py THREADS

The first line it reads says where features and labels lie; each further line is a job. Answers are lines of JSON with the
milliseconds by the clock and those of the processor, over all threads. Jobs:
`torch` and `sklearn`: from zero until the objective is within `gap` of `optimum`; `sklearn-warm`: from there after one label
has changed; `folds`: out-of-fold predictions.
Packages: requirements.txt beside this file.
"""

import json
import sys
import time
import warnings

import numpy as np
import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

warnings.filterwarnings("ignore")
THREADS = int(sys.argv[1])
torch.set_num_threads(THREADS)

setup = json.loads(sys.stdin.readline())
rows, features, classes = setup["rows"], setup["features"], setup["classes"]
x = np.fromfile(setup["x"], np.float32).reshape(rows, features)
labels = np.fromfile(setup["labels"], np.int32)
tensor_x, tensor_labels = torch.from_numpy(x), torch.from_numpy(labels).long()


def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return {"wall": (time.perf_counter() - wall) * 1e3, "cpu": (time.process_time() - cpu) * 1e3}, result


class Reached(Exception):
    pass


def torch_fit(strength, optimum, gap):
    weights = torch.zeros(classes, features, requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights, bias], max_iter=1000, max_eval=2000, history_size=10, line_search_fn="strong_wolfe",
        tolerance_grad=0, tolerance_change=0)
    evaluations = 0

    def closure():
        nonlocal evaluations
        evaluations += 1
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(tensor_x @ weights.T + bias, tensor_labels)
        loss = loss + strength / 2 * (weights * weights).sum()
        loss.backward()
        if float(loss.detach()) <= optimum * (1 + gap):
            raise Reached
        return loss

    try:
        optimiser.step(closure)
    except Reached:
        pass
    return evaluations


def objective(model, y, strength):
    logits = torch.from_numpy(x @ model.coef_.T.astype(np.float32) + model.intercept_.astype(np.float32)).double()
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(y).long())
    return float(loss) + strength / 2 * float((model.coef_.astype(np.float64) ** 2).sum())


def sklearn_model(strength, tolerance, **more):
    return LogisticRegression(C=1 / (rows * strength), tol=tolerance, max_iter=2000, **more)


tolerances = {}


def tolerance_for(strength, optimum, gap):
    """The loosest tolerance that comes close enough; looked for outside of the measurement."""
    if strength not in tolerances:
        for tolerance in (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5):
            model = sklearn_model(strength, tolerance).fit(x, labels)
            if objective(model, labels, strength) <= optimum * (1 + gap):
                break
        tolerances[strength] = tolerance
    return tolerances[strength]


def run(job):
    strength = job["strength"]
    if job["job"] == "torch":
        figures, evaluations = timed(lambda: torch_fit(strength, job["optimum"], job["gap"]))
        return {**figures, "evaluations": evaluations}
    if job["job"] == "folds":
        folds = StratifiedKFold(job["folds"], shuffle=True, random_state=1)
        figures, found = timed(lambda: cross_val_predict(
            sklearn_model(strength, 1e-4), x, labels, cv=folds, method="predict_proba"))
        return {**figures, "accuracy": float((found.argmax(1) == labels).mean())}
    tolerance = tolerance_for(strength, job["optimum"], job["gap"])
    if job["job"] == "sklearn":
        figures, model = timed(lambda: sklearn_model(strength, tolerance).fit(x, labels))
        return {**figures, "evaluations": int(model.n_iter_[0])}
    model = sklearn_model(strength, tolerance, warm_start=True).fit(x, labels)
    changed = labels.copy()
    changed[job["row"]] = job["label"]
    figures, model = timed(lambda: model.fit(x, changed))
    return {**figures, "evaluations": int(model.n_iter_[0])}


print(json.dumps({"torch": torch.__version__, "sklearn": sklearn.__version__}), flush=True)
for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
