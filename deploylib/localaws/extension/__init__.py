"""Start MiniStack with an ECS that deploys, drains and fails as AWS does.

Runs in the emulator's own environment: `python -m deploylib.localaws.extension`. It imports the standard library,
`ministack` and `docker` only, and no other part of `deploylib`. `docs/local-aws.md` says what is mended and why.

The modules that import neither `ministack` nor `docker` (settings, patching, health, rollout, order, calls, pause)
hold the decisions; the others apply them.
"""
