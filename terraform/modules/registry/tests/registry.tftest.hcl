mock_provider "aws" {}

variables {
  name         = "shop"
  force_delete = false
}

run "a_deployed_digest_keeps_its_tag_and_is_never_expired" {
  command = plan

  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
    error_message = "a tag that can move leaves a deployed digest without one"
  }

  assert {
    condition     = [for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : rule.selection.tagStatus] == ["untagged"]
    error_message = "no rule may match an image with a tag"
  }
}

run "layer_caches_have_a_repository_of_their_own" {
  command = plan

  assert {
    condition     = aws_ecr_repository.cache.name == "shop-cache" && aws_ecr_repository.cache.image_tag_mutability == "MUTABLE"
    error_message = "a cache's tag moves with every build"
  }
}

run "nonsense_is_refused" {
  command = plan

  variables {
    name          = "Shop"
    untagged_days = 0
    cache_days    = 0
  }

  expect_failures = [var.name, var.untagged_days, var.cache_days]
}
