"""The plan of a run's steps."""

from jaxact import config
from jaxact.run import program


def test_the_plan_counts_steps_across_epochs():
    plan = program.make_plan(config.TrainConfig(batch_size=8, epochs=2.0), 20)
    assert plan.steps_per_epoch == 2.5 and plan.total_steps == 5
    assert [step for step in range(1, 6) if plan.evaluates(step)] == [2, 4, 5]
    only_end = config.TrainConfig(
        batch_size=8, epochs=4.0, eval_every=0.0, checkpoint_every=4
    )
    plan = program.make_plan(only_end, 20)
    assert [step for step in range(1, 11) if plan.evaluates(step)] == [10]
    assert [step for step in range(1, 11) if plan.saves(step)] == [4, 8, 10]
