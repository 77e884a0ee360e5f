"""Deploy containerised applications to Amazon ECS, and say truly whether it worked."""
