"""The trainings of a group as one predictor, which says what they say on average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ..errors import ConfigError, StateError
from ..phrasing import counted
from .folder import GROUP_FILE
from .loading import load_run, read_facts, read_group_facts
from .mixture import AS_IT_IS, Mixture
from .modality import Modality, Prepared, part_inputs
from .predictor import Predictor
from .recognition import kind_of_run
from .task import Task

__all__ = ["common_metrics", "load_group", "members_of", "mixed"]

COPY = "its files were changed; copy the whole folder again"

P = TypeVar("P", bound=Predictor[Any, Any, Any])


def members_of(group: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The run folder and ``run.json`` of each training of a group.

    Raises StateError for a folder that is not a group, or one that is not done.
    """
    facts = read_group_facts(group)
    if facts["status"] != "done" or not facts["members"]:
        done, planned = len(facts["members"]), len(facts.get("planned", facts["members"]))
        raise StateError(
            f"{done} of {counted(planned, 'run')} {'is' if done == 1 else 'are'} done, and the "
            f"status of the group is {facts['status']}",
            where=str(group),
            help=f"finish it with chainrule resume {group}, or give one of the runs in it",
        )
    names = [str(member["run"]) for member in facts["members"].values()]
    if strange := [name for name in names if Path(name).name != name]:
        raise StateError(
            f"{strange[0]!r} is no run in the group", where=str(group / GROUP_FILE), help=COPY
        )
    members = [(group / name, read_facts(group / name)) for name in names]
    learned = {(kind_of_run(f).name, f["task"], f["data"]["target"]) for _, f in members}
    if len(learned) > 1:
        raise StateError(
            "the runs of the group learned different things", where=str(group), help=COPY
        )
    return members


def load_group(group: Path) -> Predictor[Any, Any, Any]:
    """The predictor of a group whose trainings are all done; of an ensemble, of those that count.

    Raises what `members_of` and `load_run` raise, and ConfigError for a task whose networks have
    no common answer.
    """
    members, facts = members_of(group), read_group_facts(group)
    kind: Modality[Any, Any] = kind_of_run(members[0][1])
    require_common_answer(kind, members[0][1])
    names, mixture = list(facts["members"]), AS_IT_IS
    if ensemble := facts.get("ensemble"):
        shares = ensemble["weights"]
        if shares.keys() != set(names) or abs(sum(shares.values()) - 1) > 1e-6:
            raise StateError(
                "the weights of the ensemble are not those of its runs",
                where=str(group / GROUP_FILE),
                help=COPY,
            )
        members = [run for name, run in zip(names, members, strict=True) if shares[name]]
        names = [name for name in names if shares[name]]
        mixture = Mixture(tuple(shares[name] for name in names), ensemble["temperature"])
    predictors = [load_run(kind, folder, run) for folder, run in members]
    whole: Predictor[Any, Any, Any] = predictors[0].answer_for(predictors, facts, mixture)
    whole.run = group
    return whole


def mixed(
    predictors: Mapping[str, P], weights: Mapping[str, float], temperature: float, goal: Task
) -> P:
    """The first of the predictors that count, answering for all that do."""
    counting = {name: weight for name, weight in weights.items() if weight}
    members = [predictors[name] for name in counting]
    facts = {"ensemble": {"decisions": goal.decisions}}
    return members[0].answer_for(members, facts, Mixture(tuple(counting.values()), temperature))


def require_common_answer(kind: Modality[Any, Any], facts: Mapping[str, Any]) -> None:
    """ConfigError for a task whose networks have no common answer."""
    task = kind.tasks[facts["task"]]
    if not task.averages:
        raise ConfigError(
            f"the networks of a group have no common answer where the task is {task.name}",
            help="give one of the runs in the group",
        )


def common_metrics(
    predictors: Sequence[Predictor[Any, Any, Any]], prepared: Prepared[Any] | None
) -> dict[str, float]:
    """The metrics of the mean of all predictors on the test part of ``prepared``.

    Empty for a single one, for those that were not trained on the same split and encoding of the
    data, and where the outputs of networks have no mean.
    """
    first = predictors[0]
    if prepared is None or len(predictors) < 2 or not first.goal.averages:
        return {}
    texts = {p.preprocessor.to_json() for p in predictors}
    if len(texts) > 1 or prepared.preprocessor.to_json() not in texts:
        return {}
    inputs = part_inputs(prepared.test)
    scores = [(p.goal, p.scores_of(inputs)) for p in predictors]
    goal = first.goal.shared([p.goal for p in predictors])
    return goal.compute_metrics(prepared.truth, goal.together(scores))
