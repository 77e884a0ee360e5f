"""What `inv --list` shows. The tasks are in `deploylib/tasks/`, a module for each topic; decisions in `deploylib`."""

from __future__ import annotations

import atexit
import gc
from pathlib import Path

from invoke import Collection

from deploylib.tasks import (
    adopt,
    base,
    ci,
    dev,
    env,
    events,
    image,
    infra,
    local,
    lock,
    notify,
    overview,
    params,
    pipeline,
    plan,
    release,
    revisions,
    upkeep,
    verify,
)

# What a command has loaded stays until its end: it is not searched for cycles again and again, nor on the way out.
gc.set_threshold(100_000)
atexit.register(gc.freeze)

namespace = Collection(
    *(plan.plan, release.deploy, release.rollback, release.watch, release.refresh, release.scale, release.continue_),
    *(adopt.init, verify.verify, overview.status, overview.history),
    *(upkeep.tasks, upkeep.logs, upkeep.run_, upkeep.exec_),
)
for name, tasks in {
    "env": (env.list_, env.show, env.validate, env.doctor, env.schema),
    "events": (events.schema,),
    "infra": (
        *(infra.bootstrap, infra.init, infra.plan, infra.apply, infra.destroy, infra.drift, infra.status),
        *(infra.output, infra.tf, infra.unlock, infra.check, infra.iam, infra.docs, infra.format_),
    ),
    "base": (base.refresh, base.status),
    "ci": (ci.environment, ci.merge_test, ci.render),
    "image": (image.promote, image.run_tests, image.prune, image.clean),
    "notify": (notify.try_out,),
    "revisions": (revisions.prune,),
    "params": (params.list_, params.get, params.set_, params.import_, params.diff, params.rm),
    "pipeline": (pipeline.artifacts, pipeline.buildspec, pipeline.start),
    "dev": (dev.compose, dev.up, dev.status, dev.down),
    "local": (local.up, local.status, local.down),
    "lock": (lock.show, lock.release),
}.items():
    namespace.add_collection(Collection(name, *tasks))
namespace.configure({"root": str(Path(__file__).resolve().parent)})
