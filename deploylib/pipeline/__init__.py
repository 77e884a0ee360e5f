"""What CodePipeline is given so that it releases as AWS's own actions do: files from contract and configuration.

* `parts`: which service is moved by whom, which images it runs (pure, from the configuration alone).
* `buildspec`: what the pipeline's build runs; it names no account (pure).
* `files`: what its deploy stage reads, of one environment (pure).
* `observation`: what they are made from; `given`: images that others pushed.
* `starting`: the tags that a pipeline waits for.
"""
